import type { SingleBar } from 'cli-progress'
import { type CommandContext, isForPeople } from './context.ts'

export interface Progress {
  update(label: string, done: number, total: number): void
  stop(): void
}

/** A bar on standard error, so that standard output holds results alone; nothing where that is no terminal. */
export async function startProgress(context: CommandContext): Promise<Progress> {
  if (!isForPeople({ ...context, out: context.err }))
    return { update: () => undefined, stop: () => undefined }
  const { default: cliProgress } = await import('cli-progress')
  const { clock } = context
  let label: string | null = null
  let bar: SingleBar | null = null
  let startedAt = 0
  let first = 0
  /** Units a second, since the phase has begun. */
  const rate = (done: number): string => {
    const seconds = (clock.monotonic() - startedAt) / 1000
    return seconds < 0.5 ? '-' : Math.round((done - first) / seconds).toLocaleString('en')
  }
  return {
    update(nextLabel, done, total) {
      if (label !== nextLabel) {
        // What is not committed is not read: the last records of a phase may never come.
        bar?.update(bar.getTotal())
        bar?.stop()
        const format =
          '{label} {bar} {percentage} % | {value} of {total} | {rate} a second | {eta_formatted} left'
        // The terminal's cursor and wrapping stay as they are: an interrupt could not put them back.
        const options = { format, fps: 5, hideCursor: false, linewrap: true }
        bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic)
        bar.start(total, done, { label: nextLabel.padEnd(12), rate: '-' })
        label = nextLabel
        startedAt = clock.monotonic()
        first = done
      }
      bar?.setTotal(total)
      bar?.update(done, { rate: rate(done) })
    },
    stop() {
      bar?.update(bar.getTotal())
      bar?.stop()
    },
  }
}
