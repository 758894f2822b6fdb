// Makes the README's picture of the demo page, www/screenshot.jpg: `npm run screenshot` after `cargo verify`.

import { click, newPage, seen, start } from './lib/browser.js';
import { ROOT } from './lib/demo.js';

const EXAMPLE = 0; // of www/examples.js

const stage = await start();
try {
  const media = { 'prefers-color-scheme': 'light', 'prefers-reduced-motion': 'reduce' };
  const page = await newPage(await stage.newContext(), { width: 1240, height: 860, media });
  await page.goto(stage.url);
  await seen(page, '#status[data-state=offline]');
  await click(page, '#examples button', EXAMPLE);
  await seen(page, '#scores tr[data-reading="the post"]');
  await seen(page, '#heat[data-shown=true]');
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  await page.screenshot({ path: `${ROOT}www/screenshot.jpg`, type: 'jpeg', quality: 82 });
} finally {
  await stage.stop();
}
