/** A real browser: the system's Chromium, driven by playwright-core, which brings none of its own. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const outputDirectory = join(import.meta.dirname, '../surroundings/output')

const candidates = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Where the browser is; null where there is none. */
export const browserPath = candidates.find((path) => path !== undefined && existsSync(path)) ?? null

/** For the name of tests that are skipped. */
export const browserReason =
  browserPath === null ? ' (skipped: no Chromium is installed; CHROMIUM_PATH names one elsewhere)' : ''

export function startBrowser(): Promise<Browser> {
  if (browserPath === null) throw new Error('There is no browser')
  return chromium.launch({ executablePath: browserPath })
}

/** A page, and what a good page leaves empty. */
export interface WatchedPage {
  readonly page: Page
  /** Errors and warnings in the console, a broken content security policy among them, and exceptions that nobody caught. */
  readonly complaints: string[]
  /** Requests to anywhere but the page's own server. */
  readonly foreignRequests: string[]
}

export const desktop = { width: 1320, height: 900 }
export const phone = { width: 360, height: 740 }

/** Opens `url` in a fresh profile. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: desktop, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  const foreignRequests: string[] = []
  const { origin } = new URL(url)
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    const target = new URL(request.url())
    if (target.protocol !== 'data:' && target.origin !== origin) foreignRequests.push(request.url())
  })
  await page.goto(url)
  return { page, complaints, foreignRequests }
}

/** Keeps the whole page as a picture: the output of a test, for people to look at. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(outputDirectory, { recursive: true })
  await page.evaluate('scrollTo(0, 0)')
  await page.screenshot({
    path: join(outputDirectory, `${name}.png`),
    fullPage: true,
    animations: 'disabled',
  })
}

/** By how many CSS pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}
