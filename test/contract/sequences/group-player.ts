/** A group and its members. */
import { kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import { type Command, type MemberRole, type Speaker, slotCount, staticSlots } from './commands.ts'
import { type Answer, type Conversation, one } from './conversation.ts'
import type { Names } from './names.ts'
import type { Release } from './release.ts'

/** As whom a member speaks. */
export interface Identity {
  readonly memberId: string
  readonly instanceId: string | null
  readonly generationId: number
}

interface Slot {
  readonly instanceId: string | null
  memberId: string
  former: string
  generationId: number
  lives: number
  /** What it must give to each member, if it leads: by member id, the metadata that it joined with. */
  plan: readonly { memberId: string; metadata: Buffer }[]
  metadata: number
}

/** Longer than a sequence takes: no time-out of a broker comes into it. */
const longMs = 45_000
const stranger = 'stranger'

export class GroupPlayer {
  readonly #conversation: Conversation
  readonly #names: Names
  readonly #release: Release
  readonly #slots: Slot[]
  /** Member ids by the slot and the life that they belong to. */
  readonly #lives = new Map<string, string>()

  constructor(conversation: Conversation, names: Names, release: Release) {
    this.#conversation = conversation
    this.#names = names
    this.#release = release
    this.#slots = Array.from({ length: slotCount }, (_, slot) => ({
      instanceId: slot < staticSlots ? `instance-${slot}` : null,
      memberId: '',
      former: stranger,
      generationId: -1,
      lives: 0,
      plan: [],
      metadata: 0,
    }))
  }

  async heartbeat(from: MemberRole): Promise<void> {
    const request = { groupId: this.#names.groupId, ...this.identity(from) }
    const { errorCode } = await this.#conversation.settled('Heartbeat', request, one)
    this.#conversation.answered('Heartbeat', () => ({ errorCode }))
  }

  async deleteGroup(): Promise<void> {
    const { groupId } = this.#names
    const { errorCode } = await this.#conversation.settled('DeleteGroups', { groupId }, one)
    const isGone = errorCode === k.GROUP_ID_NOT_FOUND && !this.#release.forgetsRefusedGroups
    this.#conversation.answered('DeleteGroups', () => ({ errorCode: isGone ? k.NONE : errorCode }))
  }

  async join(command: Extract<Command, { op: 'JoinGroup' }>): Promise<void> {
    const slot = this.#slots[command.slot] as Slot
    const memberId = this.#memberId(command.slot, command.as)
    slot.metadata = command.metadata
    const request = {
      groupId: this.#names.groupId,
      sessionTimeoutMs: longMs,
      rebalanceTimeoutMs: longMs,
      memberId,
      instanceId: slot.instanceId,
      protocolType: 'consumer',
      protocols: [{ name: command.protocol, metadata: Buffer.from(`${command.slot}: ${command.metadata}`) }],
    }
    await this.#conversation.hold('JoinGroup', request, (answer) => {
      this.#takeJoin(command.slot, memberId, answer)
      return () => ({
        errorCode: answer.errorCode,
        generationId: answer.generationId,
        protocol: answer.protocolName,
        leader: this.#labelOfMember(answer.leaderId),
        member: this.#labelOfMember(answer.memberId),
        // Their order is that of a hash table.
        members: answer.members
          .map((one) => `${this.#labelOfMember(one.memberId)} ${one.instanceId} ${one.metadata}`)
          .sort(),
      })
    })
  }

  #takeJoin(index: number, asked: string, answer: Answer<'JoinGroup'>): void {
    const slot = this.#slots[index] as Slot
    const { errorCode, memberId, generationId, members } = answer
    if (errorCode === k.NONE || errorCode === k.MEMBER_ID_REQUIRED) {
      if (!this.#lives.has(memberId)) this.#lives.set(memberId, `${index}.${slot.lives++}`)
      if (slot.memberId !== memberId && slot.memberId !== '') slot.former = slot.memberId
      slot.memberId = memberId
      slot.generationId = generationId
      slot.plan = members
    } else if (asked === slot.memberId && asked !== '') {
      slot.former = slot.memberId
      slot.memberId = ''
      slot.plan = []
    }
  }

  async sync(from: MemberRole): Promise<void> {
    const { plan } = this.#slots[from.slot] as Slot
    const member = this.identity(from)
    const request = {
      groupId: this.#names.groupId,
      ...member,
      assignments: plan.map(({ memberId, metadata }) => ({
        memberId,
        assignment: Buffer.from(`for ${metadata} in ${member.generationId}`),
      })),
    }
    await this.#conversation.hold('SyncGroup', request, ({ errorCode, assignment }) => () => ({
      errorCode,
      assignment: assignment.toString(),
    }))
  }

  async leave(members: readonly { readonly slot: number; readonly as: Speaker }[]): Promise<void> {
    const leaving = this.#release.pendingLeaveRebalances
      ? members
      : members.filter(({ slot }) => !this.#isPending(slot))
    if (leaving.length === 0) return
    const together = this.#release.leavesAtOnce ? leaving : leaving.slice(0, 1)
    const request = {
      groupId: this.#names.groupId,
      members: together.map(({ slot, as }) => ({
        memberId: this.#memberId(slot, as),
        instanceId: this.#slots[slot]?.instanceId ?? null,
      })),
    }
    const answer = await this.#conversation.settled('LeaveGroup', request, one)
    this.#conversation.answered('LeaveGroup', () => ({
      errorCode: answer.errorCode,
      members: answer.members.map(({ memberId, errorCode }) => [this.#labelOfMember(memberId), errorCode]),
    }))
  }

  async rebalance(): Promise<void> {
    const joining = this.#slots.flatMap(({ memberId }, slot) => (memberId === '' ? [] : [slot]))
    for (const slot of joining.length === 0 ? [0] : joining) {
      const { metadata } = this.#slots[slot] as Slot
      await this.join({ op: 'JoinGroup', slot, as: 'itself', metadata, protocol: 'p' })
      await this.#conversation.pause()
    }
    for (const slot of joining) {
      await this.sync({ slot, as: 'itself', generation: 0 })
      await this.#conversation.pause()
    }
  }

  /** Whether it was told to come back with an id, and has not done so. */
  #isPending(slot: number): boolean {
    const { memberId, generationId } = this.#slots[slot] as Slot
    return memberId !== '' && generationId < 0
  }

  async describeGroup(): Promise<void> {
    const answer = await this.#conversation.settled('DescribeGroups', { groupId: this.#names.groupId }, one)
    this.#conversation.answered('DescribeGroups', () => ({
      errorCode: answer.errorCode,
      state: this.#release.forgetsRefusedGroups ? answer.state : answer.state.replace('Dead', 'Empty'),
      members: answer.members.map(({ memberId }) => this.#labelOfMember(memberId)).sort(),
    }))
  }

  /** null: of somebody who names no member. */
  identity(from: MemberRole | null): Identity {
    if (from === null) return { memberId: '', instanceId: null, generationId: -1 }
    const { slot, as, generation } = from
    const { instanceId, generationId } = this.#slots[slot] as Slot
    return { memberId: this.#memberId(slot, as), instanceId, generationId: generationId + generation }
  }

  #memberId(slot: number, as: Speaker): string {
    const { memberId, former } = this.#slots[slot] as Slot
    if (as === 'itself') return memberId
    return as === 'new' ? '' : as === 'former' ? former : stranger
  }

  #labelOfMember(memberId: string): string {
    return this.#lives.get(memberId) ?? (memberId === '' || memberId === stranger ? memberId : 'unknown')
  }
}
