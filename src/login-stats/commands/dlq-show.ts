import { Command, InvalidArgumentError } from 'commander'
import type { Header } from '../../ports/kafka.ts'
import type { Letter } from '../dead-letters/letters.ts'
import type { LetterStatus } from '../dead-letters/list.ts'
import type { LetterPlace } from '../dead-letters/show.ts'
import { timeText } from '../domain/time-text.ts'
import { counted, number } from '../format.ts'
import { printable } from '../printable.ts'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'

interface Options {
  readonly value?: true
  readonly raw?: true
  readonly json?: true
}

const partitionOf = wholeNumber(0, 2 ** 31 - 1)
const offsetOf = wholeNumber(0, Number.MAX_SAFE_INTEGER)

export function dlqShowCommand({ context, finish }: Invocation): Command {
  const show = new Command('show')
    .description('Show one dead letter')
    .argument('<place>', 'PARTITION:OFFSET as "dlq list" has it, or the partition alone')
    .argument('[offset]', 'the offset, if it is not in the first', offsetOf)
    .option('--value', 'also its key, value and own headers, as far as they can be printed')
    .option('--raw', 'write the bytes of its value, and nothing else, on standard output')
    .option('--json', 'as JSON')
    .addHelpText('after', `\n${whyHidden}`)
    .action(async (text: string, offset: number | undefined, options: Options) => {
      const place = placeOf(show, text, offset)
      const [{ withKafka }, { findLetter }, { rowOf }] = await Promise.all([
        import('./session.ts'),
        import('../dead-letters/show.ts'),
        import('../dead-letters/list.ts'),
      ])
      const { letter, status } = await withKafka(context, 'dlq', ({ config, kafka }) =>
        findLetter({ kafka, clock: context.clock, config }, place),
      )
      if (options.raw) writeRaw(context, letter)
      else if (options.json) printJson(context, { ...rowOf(letter, status), ...jsonContent(letter, options) })
      else context.out.write(`${lines(letter, status, options).join('\n')}\n`)
      finish(exitCodes.ok)
    })
  return show
}

const whyHidden = 'What is in a record may be personal data, so it is shown only with --value or --raw.'

function placeOf(show: Command, text: string, offset: number | undefined): LetterPlace {
  const [partition = '', ofPlace] = text.split(':')
  const ending = offset ?? ofPlace
  if (ending === undefined || (offset !== undefined && ofPlace !== undefined) || text.split(':').length > 2)
    show.error("error: the place of a dead letter is its partition and offset, like '2:17' or '2 17'")
  try {
    return { partition: partitionOf(partition), offset: offsetOf(String(ending)) }
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    return show.error(`error: partition and offset must be whole numbers, not '${printable(text)}'`)
  }
}

function writeRaw({ out, err }: CommandContext, { value, origin }: Letter): void {
  if (origin !== null && origin.truncated !== null)
    err.write(
      `The record was cut: its value had ${counted(origin.truncated, 'byte')}, ${number(value?.length ?? 0)} of them are left.\n`,
    )
  if (value === null) err.write('The value is null.\n')
  else out.write(value)
}

function lines(letter: Letter, status: LetterStatus, { value: isShown }: Options): string[] {
  const { partition, offset, timestamp, key, value, headers, origin } = letter
  const own = origin?.ownHeaders ?? headers
  const hidden = isShown ? [] : [`  (${whyHidden})`]
  return [
    `Dead letter ${partition}:${offset}, written ${timeText(timestamp)}, ${status}`,
    ...(origin === null ? ['  no dead letter of this program'] : originLines(letter)),
    `  key       ${contentOf(key, isShown)}`,
    ...own.map(([name, text]) => `  header    ${printable(name)}: ${contentOf(text, isShown)}`),
    `  value     ${contentOf(value, isShown)}`,
    ...hidden,
  ]
}

function originLines({ origin }: Letter): string[] {
  if (origin === null) return []
  const { code, message, topic, partition, offset, timestamp, truncated } = origin
  return [
    `  error     ${printable(code)}: ${printable(message)}`,
    `  source    ${printable(topic)} ${partition}:${offset}, of ${timeText(timestamp)}`,
    ...(truncated === null
      ? []
      : [`  cut       the whole value had ${counted(truncated, 'byte')}; it cannot be replayed`]),
  ]
}

function contentOf(bytes: Buffer | null, isShown: true | undefined): string {
  if (bytes === null) return 'null'
  return isShown ? printable(bytes.toString()) : counted(bytes.length, 'byte')
}

function jsonContent({ key, value, origin, headers }: Letter, { value: isShown }: Options): object {
  const own = origin?.ownHeaders ?? headers
  if (!isShown) return { headers: own.map(([name]) => name) }
  return {
    headers: own.map(([name, text]: Header) => ({ name, ...jsonBytes('value', text) })),
    ...jsonBytes('key', key),
    ...jsonBytes('value', value),
  }
}

/** As text where the bytes are text, else in base64 under another name. */
function jsonBytes(name: string, bytes: Buffer | null): object {
  if (bytes === null) return { [name]: null }
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? { [name]: text } : { [`${name}_base64`]: bytes.toString('base64') }
}
