// What is wrong with a page for people who see, hear or move otherwise, or have a small screen.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { until } from './world.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Browsers in which a page can be looked through: what axe is, comes in beside the page's policy. */
export const looking = (colorScheme) => ({ colorScheme, bypassCSP: true, reducedMotion: 'reduce' });

/** Everything serious that is found on a page as it is, in words. */
export async function faults(page, what) {
  await until('nothing is loading', async () => (await page.locator('.loading').count()) === 0);
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run({ runOnly }), RULES);
  const found = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${what}: ${id}: ${nodes.map((node) => node.html).join(' ')}`);
  const overflow = await page.evaluate(() => {
    const dialog = document.querySelector('dialog[open]');
    const beyond = dialog ? dialog.scrollWidth - dialog.clientWidth : 0;
    return Math.max(beyond, document.documentElement.scrollWidth - innerWidth);
  });
  return overflow > 0 ? [...found, `${what} is ${overflow} px too wide`] : found;
}

/**
 * The same of many pages, light and dark, wide and as narrow as a telephone, and what went wrong in them. A page is a
 * path, or a path and what is done there first.
 */
export async function axeFinds(here, pages) {
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    const { page, context, errors } = await here.open('/', looking(colorScheme));
    for (const [path, prepare] of pages.map((one) => [one].flat())) {
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 760 });
        await page.goto(here.server.url + path);
        await page.locator('.badge[data-state=live]').waitFor();
        await until('nothing is loading', async () => (await page.locator('.loading').count()) === 0);
        await prepare?.(page);
        found.push(...(await faults(page, `${path} ${colorScheme} ${width}`)));
      }
    }
    found.push(...errors);
    await context.close();
  }
  return found;
}
