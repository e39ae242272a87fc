// A real Chromium for tests of pages: windows of a width and a colour scheme, what axe-core says of
// them, and pictures of them under build/screenshots. It reaches nothing but loopback.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

const executable = '/usr/bin/chromium';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = join(import.meta.dirname, '..', '..', 'build', 'screenshots');

export const hasBrowser = existsSync(executable);

const quiet = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Scheme = 'light' | 'dark';

/** What axe-core found wrong, one line each. */
interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

export class Browser {
  readonly #folder: string;
  readonly #context: BrowserContext;
  /** What pages complained of: errors of scripts, and what the policy of the page forbade. */
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, folder: string) {
    this.#context = context;
    this.#folder = folder;
  }

  static async open(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'mailweir-profile-'));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: executable,
      args: quiet,
    });
    return new Browser(context, folder);
  }

  /** A window; it stays until `close`. */
  async page(width: number, scheme: Scheme, height = width < 500 ? 844 : 900): Promise<Page> {
    const page = await this.#context.newPage();
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.complaints.push(message.text());
      }
    });
    return page;
  }

  async close(): Promise<void> {
    await this.#context.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * What axe-core has against a page: WCAG 2.2 A and AA, and its good practices; or by one rule
 * alone, where nothing else can have changed.
 */
export async function axeOf(page: Page, rule?: 'color-contrast'): Promise<string[]> {
  // Through the debugger: the page itself lets no script in.
  await page.evaluate(axe);
  const only = rule === undefined ? '' : `, runOnly: ["${rule}"]`;
  const { violations } = await page.evaluate<Found>(
    `axe.run(document, { resultTypes: ["violations"]${only} })`,
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${help}: ${html}\n${failureSummary}`),
  );
}

/** Whether the page can be pushed sideways. */
export async function sideways(page: Page): Promise<number> {
  return page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
}

/** Keeps a picture of the page as build/screenshots/NAME.png; gives its path. */
export async function picture(page: Page, name: string, fullPage = false): Promise<string> {
  mkdirSync(pictures, { recursive: true });
  const path = join(pictures, `${name}.png`);
  await page.screenshot({ path, fullPage });
  return path;
}
