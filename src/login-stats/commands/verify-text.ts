/** The report of `verify` for people. */

import type { Difference, DifferenceRange, InputPartition, VerifyReport } from '../../verify/index.ts'
import { counted, number } from '../format.ts'
import { printable } from '../printable.ts'

const mostShown = 20

export type Colour = (text: string) => string

export interface Colours {
  readonly green: Colour
  readonly red: Colour
  readonly yellow: Colour
}

/** There is an input, and no processor has counted any of it: that is no agreement. */
export function isNothingCounted({ verdict, keys, caughtUp }: VerifyReport): boolean {
  return verdict === 'equal' && keys === 0 && !caughtUp
}

/** The lines of a report; `changelogTopic` is named where a difference is traced. */
export function reportLines(report: VerifyReport, changelogTopic: string, colours: Colours): string[] {
  return [headline(report, colours), ...bodyLines(report, changelogTopic).map(printable)]
}

function bodyLines(report: VerifyReport, changelogTopic: string): string[] {
  const { logins, deadLetters, startGone, recreated, differences, differenceCount } = report
  if (recreated.length > 0) return [...recreated.map(recreatedLine), ...report.notes.map(indented)]
  return [
    `  input         ${number(logins.valid)} valid and ${counted(logins.invalid, 'invalid record')}`,
    `  keys          ${number(report.keys)} compared${report.passes === 1 ? '' : `, in ${report.passes} passes`}`,
    `  dead letters  ${deadLetters === null ? 'not compared' : `${number(deadLetters.found)} of ${number(deadLetters.expected)}`}`,
    `  stream time   ${report.streamTime ?? 'none yet'}`,
    `  caught up     ${caughtUpText(report)}`,
    ...report.input.filter(({ open }) => open > 0).map(openLine),
    ...(report.staleRows === 0
      ? []
      : [`  stale rows    ${number(report.staleRows)}, rolling counts right as of their own time only`]),
    ...(startGone.length === 0 ? [] : [`  start is gone in partition ${startGone.join(', ')} of the input`]),
    ...(report.verdict === 'different' && differences.every(({ where }) => where === 'dead letters')
      ? [
          '  Only the dead letters differ. After a reset they hold records of both runs: compare with --no-dlq.',
        ]
      : []),
    ...report.notes.map(indented),
    ...(differenceCount > mostShown ? kindLines(report) : []),
    ...differences.slice(0, mostShown).flatMap((difference) => differenceLines(difference, changelogTopic)),
    ...(differenceCount > mostShown ? ['  ... (--json shows more)'] : []),
  ]
}

function headline(report: VerifyReport, { green, red, yellow }: Colours): string {
  if (isNothingCounted(report))
    return yellow('Nothing has been counted yet: start the processor (login-stats run).')
  if (report.verdict === 'equal')
    return green('Equal: the changelog and the table hold exactly what the input gives.')
  if (report.verdict === 'different')
    return red(`Different: ${counted(report.differenceCount, 'difference')}.`)
  return yellow(
    report.recreated.length > 0
      ? 'Cannot tell: the input that was counted is gone.'
      : 'Cannot tell: the first records of the input are gone, so it cannot be counted again. What is left is all counted.',
  )
}

function recreatedLine({ topic, was, is }: VerifyReport['recreated'][number]): string {
  const ids =
    was === null
      ? 'it holds no commit, although the group has some'
      : `its id was ${was}, now ${is ?? 'none'}`
  return `  ${topic} was ${is === null ? 'deleted' : 'deleted and made again'} since it was counted: ${ids}. Nothing else was compared.`
}

function caughtUpText({ caughtUp, input, underWay }: VerifyReport): string {
  const between =
    underWay.length === 0 ? '' : `; partial counts are under way to partition ${underWay.join(', ')}`
  if (!caughtUp) return `no: compared up to the positions that are counted${between}`
  return input.some(({ open }) => open > 0) ? 'with all that is committed, but transactions are open' : 'yes'
}

function openLine({ partition, end, open }: InputPartition): string {
  return `  open          ${counted(open, 'offset')} of the input in partition ${partition}, from ${end} on: a transaction has not ended`
}

function kindLines({ differencesByKind }: VerifyReport): string[] {
  return Object.entries(differencesByKind).map(([kind, count]) => `  ${number(count)} x ${kind}`)
}

function differenceLines(difference: Difference, changelogTopic: string): string[] {
  const { where, what, key, partition, expected, found, records, range } = difference
  const places = records.map((place) => `[${place.partition}] offset ${place.offset}`)
  const at = places.length === 0 ? '' : ` (record at ${places.join(', ')})`
  return [
    `  ${where} [${partition}] ${JSON.stringify(key)} ${what}: expected ${expected}, found ${found}${at}`,
    ...(range === null ? [] : [`    ${rangeText(range, `${changelogTopic} [${partition}]`)}`]),
  ]
}

function rangeText(range: DifferenceRange, changelog: string): string {
  const { rightUntil, wrongFrom, isCommit, isExact, input, expected, counted: found } = range
  const right =
    rightUntil === null ? 'nothing counted before' : `right up to the commit at offset ${rightUntil}`
  const wrong = isCommit
    ? `wrong from the commit at ${wrongFrom} of ${changelog} on`
    : `wrong by the record at ${wrongFrom} of ${changelog}, which belongs to no commit`
  const parts = input.map(({ partition, from, to }) => `partition ${partition}, offsets ${from}..${to - 1}`)
  const between = parts.length === 0 ? 'no input between them' : `input ${parts.join('; ')}`
  const wide = isExact ? '' : '; commits between them are gone, it may be a part of this'
  return `${right}, ${wrong}: ${between} (${counted(expected, 'login')} expected, ${number(found)} counted)${wide}`
}

function indented(note: string): string {
  return `  ${note}`
}
