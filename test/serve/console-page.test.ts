// The console in a real browser.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decisionOf } from '../block/lists.js';
import { axeOf, Browser, hasBrowser, picture, sideways } from '../helper/browser.js';
import { Site } from './site.js';

describe.skipIf(!hasBrowser)('the list in a browser', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    site = await Site.open();
    for (let at = 0; at < 70; at++) site.test.list.decision(decisionOf(`198.18.0.${at}/32`));
    await site.test.list.idle();
    browser = await Browser.open();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it.each([
    [1280, 'light'],
    [1280, 'dark'],
    [390, 'light'],
    [390, 'dark'],
  ] as const)('is accessible at %i pixels in %s', async (width, scheme) => {
    const page = await browser.page(width, scheme);
    await page.goto(site.url('/#/list'));
    await page.waitForSelector('tbody tr');
    expect(await page.locator('tbody tr').count()).toBe(50);
    await page.getByRole('button', { name: 'Show 50 more' }).click();
    await page.locator('tbody tr').nth(69).waitFor();
    expect(await axeOf(page)).toEqual([]);
    expect(await sideways(page)).toBe(0);
    await picture(page, `list-${width}-${scheme}`);
    expect(browser.complaints).toEqual([]);
  });
});
