/** What a replay does with one dead letter. */
import type { Letter } from './letters.ts'
import { isPassed, isRepetition, passedWith, type ReplayMark } from './replay-progress.ts'

export type ReplayDecision =
  | 'replay'
  /** It has been written back before. */
  | 'done'
  /** The input was read once more, and a replay had passed its record before. */
  | 'repeated'
  /** It would be written back, but one before it waits for the user to say what becomes of repetitions. */
  | 'held'
  /** Not of the code that is replayed. */
  | 'other-code'
  /** A part of the record is gone. */
  | 'truncated'
  /** Not made by this application from its input. */
  | 'foreign'

/** Letters looked at, by what is done with them. */
export type ReplayCounts = Record<ReplayDecision, number>

export function noLetters(): ReplayCounts {
  return { replay: 0, done: 0, repeated: 0, held: 0, 'other-code': 0, truncated: 0, foreign: 0 }
}

/** How far the replays have got in the letter's partition. Null: there was none. */
export interface KnownProgress {
  readonly plain: ReplayMark | null
  ofCode(code: string): ReplayMark | null
  /** Those two, those of all other codes, and those in other dead-letter topics of the same input. */
  readonly all: readonly ReplayMark[]
}

/**
 * What becomes of letters that seem to be repetitions. Only the user can know whether they are: so nothing for now, or one of these, for
 * good. What a replay has written back itself it never writes once more, however often it is interrupted.
 */
export type RepeatedLetters = 'ask' | 'skip' | 'write'

export interface DecisionRules {
  readonly inputTopic: string
  /** Null: letters of all codes are replayed. */
  readonly code: string | null
  readonly repeated: RepeatedLetters
}

/** `here`: how far this replay itself has got by now; null where none runs. */
export function decide(
  letter: Letter,
  progress: KnownProgress,
  rules: DecisionRules,
  here: ReplayMark | null = null,
): ReplayDecision {
  const { origin } = letter
  if (origin === null || origin.topic !== rules.inputTopic) return 'foreign'
  if (rules.code !== null && origin.code !== rules.code) return 'other-code'
  if (origin.truncated !== null) return 'truncated'
  const own = [progress.plain, progress.ofCode(origin.code), here].filter((mark) => mark !== null)
  if (own.some(({ offset }) => letter.offset < offset)) return 'done'
  const isRepeated =
    rules.repeated === 'write'
      ? own.some(({ vouched }) => vouched !== null && isPassed(vouched, letter))
      : progress.all.some((mark) => isRepetition(mark, letter)) ||
        (here !== null && isRepetition(here, letter))
  return isRepeated ? 'repeated' : 'replay'
}

/** The mark behind a letter of which this was decided, and behind everything before it. */
export function markAfter(mark: ReplayMark, letter: Letter, decision: ReplayDecision): ReplayMark {
  const { origin, partition, offset } = letter
  const passed = { ...mark, offset: offset + 1 }
  // A letter of another input says nothing about how far ours has been passed.
  if (decision === 'foreign') return passed
  if (origin === null || origin.partition !== partition) return passed
  const { source, again, vouched } = mark
  // In the middle of one that is known to be read once more nothing begins.
  const isKnown = isRepetition({ ...mark, offset: Number.POSITIVE_INFINITY }, letter)
  const begins = isRepetition(mark, letter) && !isKnown
  return {
    ...passed,
    ...passedWith(mark, origin),
    again: begins ? [...again, { offset, source }] : again,
    // Those of other codes are left for other replays, and so are the repetitions of them.
    vouched: vouched === null || decision === 'other-code' ? vouched : passedWith(vouched, origin),
  }
}
