// What axe-core finds wrong with a page: https://github.com/dequelabs/axe-core

import axe from 'axe-core';

/** The violations on `page` as lines: the rule, what it asks for, and the elements. Best practices are asked for too. */
export async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => (await window.axe.run()).violations);
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}
