// Makes the README's picture of the demo page, www/screenshot.jpg: `npm run screenshot` after `cargo verify`.

import { startBrowser } from './lib/browser.js';
import { ROOT, startDemo } from './lib/demo.js';

const EXAMPLE = 0; // of www/examples.js

const demo = await startDemo();
const browser = await startBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1240, height: 860 }, colorScheme: 'light' });
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto(demo.url);
  await page.locator('#status[data-state=offline]').waitFor();
  await page.locator('#examples button').nth(EXAMPLE).click();
  await page.locator('#scores tr[data-reading="the post"]').waitFor();
  await page.locator('#heat[data-shown=true]').waitFor();
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  await page.screenshot({ path: `${ROOT}www/screenshot.jpg`, type: 'jpeg', quality: 82 });
} finally {
  await browser.close();
  await demo.stop();
}
