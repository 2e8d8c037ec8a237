import type { SingleBar } from 'cli-progress'
import { number } from '../format.ts'
import { type CommandContext, isForPeople } from './context.ts'

export interface Progress {
  update(label: string, done: number, total: number): void
  stop(): void
}

const barFormat = '{label} {bar} {percentage} % | {counts}{pace}'

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
  // What is not committed is not read: the last records of a phase may never come.
  const finish = (): void => {
    const total = bar?.getTotal() ?? 0
    bar?.update(total, { counts: number(total), pace: '' })
    bar?.stop()
  }
  return {
    update(nextLabel, done, total) {
      if (label !== nextLabel) {
        finish()
        // The terminal's cursor and wrapping stay as they are: an interrupt could not put them back.
        const options = { format: barFormat, fps: 5, hideCursor: false, linewrap: true }
        bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic)
        bar.start(total, done, { label: nextLabel.padEnd(12), counts: '', pace: '' })
        label = nextLabel
        startedAt = clock.monotonic()
        first = done
      }
      bar?.setTotal(total)
      const seconds = (clock.monotonic() - startedAt) / 1000
      const counts = `${number(done)} of ${number(total)}`
      bar?.update(done, { counts, pace: paceInWords(done - first, total - done, seconds) })
    },
    stop: finish,
  }
}

/** How fast a phase goes, and how long it will; nothing before that can be told. */
export function paceInWords(done: number, left: number, seconds: number): string {
  if (seconds < 0.5 || done <= 0) return ''
  const perSecond = done / seconds
  return `, ${number(perSecond)} a second, ${duration(left / perSecond)} left`
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
