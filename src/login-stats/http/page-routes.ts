/** The live page and what it needs: a few files, read once. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'

const pageDirectory = join(import.meta.dirname, '../page')
const uplotDirectory = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** By URL, the path of each file that the page consists of. */
async function pageFiles(): Promise<Map<string, string>> {
  const names = await readdir(pageDirectory)
  const own = names.filter((name) => extname(name) in types)
  return new Map([
    ...own.map((name) => [name === 'index.html' ? '/' : `/${name}`, join(pageDirectory, name)] as const),
    ['/uplot.js', join(uplotDirectory, 'uPlot.esm.js')],
    ['/uplot.css', join(uplotDirectory, 'uPlot.min.css')],
  ])
}

/** Nothing from elsewhere, and nothing inline: what a row says can never become a script. */
const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

export async function addPageRoutes(server: FastifyInstance): Promise<void> {
  for (const [url, path] of await pageFiles()) {
    const type = types[extname(path)] ?? 'application/octet-stream'
    const content = await readFile(path)
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
    server.get(url, { schema: { hide: true } }, (request, reply) => {
      reply.headers({ ...securityHeaders, etag, 'cache-control': 'no-cache' })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(type).send(content)
    })
  }
}
