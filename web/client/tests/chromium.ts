import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';

import type * as client from '../src/index.ts';
import type * as microsoft from '@microsoft/fetch-event-source';

/** What pages of these tests have as globals. */
declare global {
  var signalbox: typeof client;
  var microsoftFetch: typeof microsoft;
  /** What was told: each seq. */
  var told: number[];
  var connection: client.Connection;
}

/** Debian's Chromium; `CHROMIUM` names another one. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });

/** A module's exports as a script that sets one global. */
export async function bundle(contents: string, globalName: string): Promise<string> {
  const resolveDir = fileURLToPath(new URL('.', import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    write: false,
    format: 'iife',
    globalName,
  });
  return outputFiles[0]?.text ?? '';
}

/** Signs in with a cookie, as the panel does; all pages of the context have it. */
export async function signIn(context: BrowserContext, url: string, password: string): Promise<void> {
  const response = await context.request.post(`${url}/api/v1/auth/login`, { data: { username: 'admin', password } });
  if (!response.ok()) throw new Error(`cannot sign in: ${response.status()}`);
}

/** A page of the server's own origin with these scripts. */
export async function open(context: BrowserContext, url: string, scripts: string[]): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${url}/livez`);
  for (const content of scripts) await page.addScriptTag({ content });
  return page;
}
