import { CodedError } from '../../errors.ts'
import type { Fingerprint } from '../runtime/fingerprint.ts'

/**
 * What members and leader tell each other through the group: JSON, versioned, so that two versions of the program can be in
 * one group while it is upgraded, whichever of them leads.
 *
 *   version 1   member: fingerprint, ownedTasks, storedTasks, partitions
 *               leader: groupFingerprint or partitions
 *   version 2   member: also processId, standbyTasks, storeLags
 *               leader: also standbyTasks, awaitedTasks, acceptableLag
 *   version 3   member: also endpoint
 *
 * How it may change:
 *
 *   1. A field keeps its name, its meaning and its type for ever. Something new is a new field, and a new version.
 *   2. A reader ignores what it does not know, and has a default for each field that is younger than version 1.
 *   3. A leader answers a member in the member's version, with the fields of that version alone; and it asks nothing of a
 *      member that its version does not know, such as standby tasks of version 1.
 *   4. Where older readers must not go on, the writer sets `minVersion` to the oldest version that may read it. Older ones
 *      since version 2 then stop, rather than to misread it; version 1 does not look.
 */
export interface MemberMetadata {
  readonly version: number
  readonly fingerprint: Fingerprint
  readonly ownedTasks: readonly string[]
  /** Tasks that have a store on the process's disk, in whatever state. */
  readonly storedTasks: readonly string[]
  /** Partition counts as this member sees them; a change makes the broker start a rebalance. */
  readonly partitions: Readonly<Record<string, number>>
  /** Of the process whose disk this member uses; null before version 2, where each member had its own. */
  readonly processId: string | null
  readonly standbyTasks: readonly string[]
  /** By how many changelog records stores on disk are behind; absent where that is unknown. */
  readonly storeLags: Readonly<Record<string, number>>
  /** Where the member's process answers the application's questions, for the other members; null where it does not. */
  readonly endpoint: string | null
}

export interface AssignmentMetadata {
  readonly version: number
  /** Set where the member's fingerprint is not the group's: it gets no tasks and must not go on. */
  readonly groupFingerprint?: Fingerprint
  /** Partition counts that the plan was made with. A member that knows of more asks for another plan. */
  readonly partitions?: Readonly<Record<string, number>>
  /** Stores to be kept warm, those in `awaitedTasks` included; its active tasks are the partitions beside this. */
  readonly standbyTasks: readonly string[]
  /** Standby tasks that another plan waits for: once they are warm, the member asks for it. */
  readonly awaitedTasks: readonly string[]
  /** At most so many changelog records behind is warm, for the leader; null from one of version 1. */
  readonly acceptableLag: number | null
}

/** The version that this program writes. */
export const metadataVersion = 3

/**
 * `asked`: how many plans the member has asked for so far. No member reads it; but the broker gives one that says the same as before the
 * plan that there is.
 */
export function encodeMemberMetadata(metadata: Omit<MemberMetadata, 'version'>, asked = 0): Buffer {
  const said = { version: metadataVersion, ...metadata }
  return Buffer.from(JSON.stringify(asked === 0 ? said : { ...said, asked }))
}

/** Throws GROUP_INCONSISTENT where another kind of consumer is in the group, or a version that must not be read by this one. */
export function decodeMemberMetadata(bytes: Buffer): MemberMetadata {
  const operation = 'read what a member says'
  const said: Partial<MemberMetadata> = parse(bytes, operation)
  const { version, fingerprint, ownedTasks, storedTasks, partitions } = said
  if (!version || !fingerprint || !Array.isArray(ownedTasks) || !Array.isArray(storedTasks) || !partitions)
    throw new CodedError('GROUP_INCONSISTENT', { operation, detail: 'What every version says is not there.' })
  const younger = { processId: null, standbyTasks: [], storeLags: {}, endpoint: null }
  return { ...younger, ...said, version, fingerprint, ownedTasks, storedTasks, partitions }
}

/** What the leader tells a member, in the words of the member's version. */
export function encodeAssignmentMetadata(
  memberVersion: number,
  { groupFingerprint, partitions, ...sinceVersion2 }: Omit<AssignmentMetadata, 'version'>,
): Buffer {
  const version = Math.min(memberVersion, metadataVersion)
  // JSON leaves out what is undefined.
  return Buffer.from(
    JSON.stringify({ version, groupFingerprint, partitions, ...(version >= 2 ? sinceVersion2 : {}) }),
  )
}

/** Throws GROUP_INCONSISTENT where the leader's version must not be read by this one. */
export function decodeAssignmentMetadata(bytes: Buffer): AssignmentMetadata {
  const said: Partial<AssignmentMetadata> =
    bytes.length === 0 ? {} : parse(bytes, 'read what the leader says')
  return { version: metadataVersion, standbyTasks: [], awaitedTasks: [], acceptableLag: null, ...said }
}

function parse(bytes: Buffer, operation: string): object {
  let said: unknown
  try {
    said = JSON.parse(bytes.toString())
  } catch (cause) {
    throw new CodedError('GROUP_INCONSISTENT', { operation, cause })
  }
  if (typeof said !== 'object' || said === null)
    throw new CodedError('GROUP_INCONSISTENT', { operation, detail: 'It is no object.' })
  const { minVersion = 1 } = said as { minVersion?: number }
  if (minVersion > metadataVersion)
    throw new CodedError('GROUP_INCONSISTENT', {
      operation,
      detail: `It can be read from version ${minVersion} of the metadata on; this program knows version ${metadataVersion}.`,
    })
  return said
}
