import { Command, Option } from 'commander'
import { reachableHost, urlHost } from '../http/url-host.ts'
import { printable, printableLines } from '../printable.ts'
import type { Invocation } from './context.ts'
import { exitCodes } from './exit-codes.ts'

interface Options {
  readonly probe: 'livez' | 'readyz'
  readonly url?: string
}

const answerWithinMs = 3000

/** For health checks of images without a shell: asks the HTTP server of the processor that runs beside it. */
export function healthCommand({ context, finish }: Invocation): Command {
  return new Command('health')
    .description('Ask the processor on this machine whether it is well; exit code 0 if so, else 1')
    .addOption(new Option('--probe <name>', 'which question').choices(['livez', 'readyz']).default('livez'))
    .option('--url <url>', 'of its HTTP server; by default as HTTP_HOST and HTTP_PORT say')
    .action(async ({ probe, url }: Options) => {
      const { loadConfig } = await import('../config/index.ts')
      const { httpHost, httpPort } = loadConfig(context.environment)
      if (url === undefined && (httpPort === null || httpPort === 0)) {
        context.err.write(
          httpPort === null
            ? 'HTTP_PORT is empty: there is no server to ask.\n'
            : 'HTTP_PORT is 0: say with --url where the server listens.\n',
        )
        finish(exitCodes.usage)
        return
      }
      const base = url ?? `http://${urlHost(reachableHost(httpHost, '127.0.0.1'))}:${httpPort ?? ''}`
      try {
        const answer = await fetch(`${base}/${probe}`, { signal: AbortSignal.timeout(answerWithinMs) })
        context.out.write(`${printableLines(await answer.text())}\n`)
        finish(answer.ok ? exitCodes.ok : exitCodes.fault)
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
        const reason = printable(cause instanceof Error ? cause.message : String(cause))
        context.err.write(`${printable(base)} does not answer: ${reason}\n`)
        finish(exitCodes.fault)
      }
    })
}
