import type { SingleBar } from 'cli-progress'
import { number } from '../format.ts'
import { type CommandContext, isForPeople, takesUtf8 } from './context.ts'

export interface Progress {
  update(label: string, done: number, total: number): void
  /** Where all is done the last bar is full, else it stays as it stands. */
  stop(isDone: boolean): void
}

const usualColumns = 80
const narrowestBar = 8
const widestBar = 40
/** Label, percentage, counts in millions and pace. */
const besideBar = 72

const barFormat = '{label} {bar} {percentage} % | {counts}{pace}'

/** A bar on standard error, so that standard output holds results alone; nothing where that is no terminal. */
export async function startProgress(context: CommandContext): Promise<Progress> {
  if (!isForPeople({ ...context, out: context.err }))
    return { update: () => undefined, stop: () => undefined }
  const { default: cliProgress } = await import('cli-progress')
  const { clock, err } = context
  const barsize = barWidth(err.columns || usualColumns)
  const { shades_classic: shades, legacy } = cliProgress.Presets
  const preset = takesUtf8(context) ? shades : legacy
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
  const stop = (isDone: boolean): void => {
    if (isDone) finish()
    else bar?.stop()
  }
  return {
    update(nextLabel, done, total) {
      if (label !== nextLabel) {
        finish()
        // The terminal's cursor and wrapping stay as they are: an interrupt could not put them back.
        const options = { format: barFormat, fps: 5, hideCursor: false, linewrap: true, barsize }
        bar = new cliProgress.SingleBar(options, preset)
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
    stop,
  }
}

/** What stands beside it is told before the bar is long: a line is cut at the width of the terminal. */
export function barWidth(columns: number): number {
  return Math.max(narrowestBar, Math.min(widestBar, columns - besideBar))
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
