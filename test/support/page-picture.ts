/**
 * Takes the picture of the README: `node test/support/page-picture.ts URL FILE [SECONDS]`. Watches the page of a running processor for so long
 * (three minutes if not said), so that the charts have something to show. `pngquant` makes the file a third as large.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { desktop, openPage, startBrowser } from './browser.ts'

const [url, path, seconds = '180'] = process.argv.slice(2)
if (url === undefined || path === undefined) throw new Error('Usage: page-picture.ts URL FILE [SECONDS]')

const browser = await startBrowser()
try {
  const { page } = await openPage(browser, url, {
    viewport: desktop,
    colorScheme: 'light',
  })
  await delay(Number(seconds) * 1000)
  await page.screenshot({ path, fullPage: true })
} finally {
  await browser.close()
}
