import { CodedError } from '../../errors.ts'
import type { Fingerprint } from '../runtime/fingerprint.ts'

/**
 * What members and leader tell each other through the group: JSON, versioned. Unknown fields are ignored, so that two
 * versions of the program can be in one group.
 */
export interface MemberMetadata {
  readonly version: number
  readonly fingerprint: Fingerprint
  readonly ownedTasks: readonly string[]
  readonly storedTasks: readonly string[]
  /** Partition counts as this member sees them; a change makes the broker start a rebalance. */
  readonly partitions: Readonly<Record<string, number>>
}

export interface AssignmentMetadata {
  readonly version: number
  /** Set where the member's fingerprint is not the group's: it gets no tasks and must not go on. */
  readonly groupFingerprint?: Fingerprint
  /** Partition counts that the plan was made with. A member that knows of more asks for another plan. */
  readonly partitions?: Readonly<Record<string, number>>
}

const version = 1

export function encodeMemberMetadata(metadata: Omit<MemberMetadata, 'version'>): Buffer {
  return Buffer.from(JSON.stringify({ version, ...metadata }))
}

/** Throws GROUP_INCONSISTENT where another kind of consumer is in the group. */
export function decodeMemberMetadata(bytes: Buffer): MemberMetadata {
  try {
    return JSON.parse(bytes.toString()) as MemberMetadata
  } catch (cause) {
    throw new CodedError('GROUP_INCONSISTENT', { operation: 'read what a member says', cause })
  }
}

export function encodeAssignmentMetadata(metadata: Omit<AssignmentMetadata, 'version'>): Buffer {
  return Buffer.from(JSON.stringify({ version, ...metadata }))
}

export function decodeAssignmentMetadata(bytes: Buffer): AssignmentMetadata {
  return bytes.length === 0 ? { version } : (JSON.parse(bytes.toString()) as AssignmentMetadata)
}
