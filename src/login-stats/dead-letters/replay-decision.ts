/** What a replay does with one dead letter. */
import type { Letter } from './letters.ts'
import { isRepetition, knownSince, type ReplayMark } from './replay-progress.ts'

export type ReplayDecision =
  | 'replay'
  /** It has been written back before. */
  | 'done'
  /** The input was read once more, and a replay had passed its record before. */
  | 'repeated'
  /** Not of the code that is replayed. */
  | 'other-code'
  /** A part of the record is gone. */
  | 'truncated'
  /** Not made by this application from its input. */
  | 'foreign'
  /** So old that a replay of it would be forgotten by now, and nothing tells that there was none. */
  | 'unsure'

/** Letters looked at, by what is done with them. */
export type ReplayCounts = Record<ReplayDecision, number>

export function noLetters(): ReplayCounts {
  return { replay: 0, done: 0, repeated: 0, 'other-code': 0, truncated: 0, foreign: 0, unsure: 0 }
}

/** How far the replays have got in the letter's partition. Null: nothing is known (any more). */
export interface KnownProgress {
  readonly plain: ReplayMark | null
  ofCode(code: string): ReplayMark | null
}

export interface DecisionRules {
  readonly inputTopic: string
  /** Null: letters of all codes are replayed. */
  readonly code: string | null
  /** In ms since the epoch. */
  readonly now: number
  /** The user vouches for old letters. */
  readonly isNeverReplayed: boolean
  /** The user vouches for repeated ones. */
  readonly isRepeatedWanted: boolean
}

/** `here`: how far this replay itself has got by now, which is further than what is known of its kind; null where none runs. */
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
  const marks = [progress.plain, progress.ofCode(origin.code)]
  const known = [...marks, here].filter((mark) => mark !== null)
  if (known.some((mark) => letter.offset < mark.offset)) return 'done'
  if (!rules.isRepeatedWanted && known.some((mark) => isRepetition(mark, letter))) return 'repeated'
  // A reset writes letters anew; what was replayed then is older than they are, but no older than the record.
  const oldest = Math.min(letter.timestamp, origin.timestamp)
  const isForgotten = marks.some((mark) => oldest < (mark?.since ?? knownSince(rules.now)))
  return isForgotten && !rules.isNeverReplayed ? 'unsure' : 'replay'
}
