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
}

const version = 1

export function encodeMemberMetadata(metadata: Omit<MemberMetadata, 'version'>): Buffer {
  return Buffer.from(JSON.stringify({ version, ...metadata }))
}

export function decodeMemberMetadata(bytes: Buffer): MemberMetadata {
  return JSON.parse(bytes.toString()) as MemberMetadata
}

export function encodeAssignmentMetadata(metadata: Omit<AssignmentMetadata, 'version'>): Buffer {
  return Buffer.from(JSON.stringify({ version, ...metadata }))
}

export function decodeAssignmentMetadata(bytes: Buffer): AssignmentMetadata {
  return bytes.length === 0 ? { version } : (JSON.parse(bytes.toString()) as AssignmentMetadata)
}
