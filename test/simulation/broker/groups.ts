/**
 * The group coordinator, classic protocol:
 *
 *     empty --join--> preparing --all joined, or time-out--> completing --leader's plan--> stable
 *                         ^-------- a member joins, leaves, or is not heard of --------------+
 *
 * A static member (one with an instance id) that joins again without a member id takes its old place under a new id; the old id is
 * fenced. In a stable group that needs no rebalance.
 */
import { type Apis, kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import type { EventQueue, ScheduledEvent } from '../event-queue.ts'
import type { SeededRandom } from '../random.ts'

type Request<A extends keyof Apis> = Apis[A]['request']
type Answer<A extends keyof Apis> = Apis[A]['answer']
type Respond<A extends keyof Apis> = (answer: Answer<A>) => void

interface Member {
  memberId: string
  readonly instanceId: string | null
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  metadata: Buffer
  assignment: Buffer
  joining: Respond<'JoinGroup'> | null
  syncing: Respond<'SyncGroup'> | null
  session: ScheduledEvent | null
}

interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
}

/** As it lies in the coordinator's log. */
interface WrittenOffset extends CommittedOffset {
  /** Where; later ones are higher. */
  readonly recordOffset: number
}

interface Group {
  readonly groupId: string
  state: 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'
  generationId: number
  protocolType: string
  protocolName: string
  leaderId: string | null
  members: Map<string, Member>
  statics: Map<string, string>
  /** Ids given to members that must come back with them. */
  pendingIds: Map<string, ScheduledEvent>
  rebalanceTimer: ScheduledEvent | null
  syncTimer: ScheduledEvent | null
  isInitialDelay: boolean
  readonly offsets: Map<string, WrittenOffset>
  /** Offsets of transactions that are not over, by producer. */
  readonly pendingOffsets: Map<bigint, Map<string, WrittenOffset>>
  /** What a new coordinator will find in the log: the group as it was when its last rebalance was complete. */
  stored: StoredGroup | null
}

interface StoredGroup {
  readonly generationId: number
  readonly protocolType: string
  readonly protocolName: string
  readonly leaderId: string | null
  readonly members: readonly Member[]
}

export interface GroupSettings {
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

const nothing = Buffer.alloc(0)

export class GroupCoordinator {
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #settings: GroupSettings
  readonly #groups = new Map<string, Group>()
  #rebalances = 0
  #nextRecordOffset = 0

  constructor(queue: EventQueue, random: SeededRandom, settings: GroupSettings) {
    this.#queue = queue
    this.#random = random
    this.#settings = settings
  }

  /** Rebalances completed so far. */
  get rebalances(): number {
    return this.#rebalances
  }

  join(request: Request<'JoinGroup'>, respond: Respond<'JoinGroup'>): void {
    const { groupId, memberId, instanceId, sessionTimeoutMs } = request
    const refuse = (errorCode: number, newId = memberId) =>
      respond({ errorCode, generationId: -1, protocolName: '', leaderId: '', memberId: newId, members: [] })
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#settings
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      refuse(k.INVALID_SESSION_TIMEOUT)
      return
    }
    const known = this.#groups.get(groupId)
    if (known === undefined && memberId !== '') {
      refuse(k.UNKNOWN_MEMBER_ID)
      return
    }
    const group = known ?? this.#newGroup(groupId)
    if (group.members.size > 0 && !speaksItsProtocol(group, request)) {
      refuse(k.INCONSISTENT_GROUP_PROTOCOL)
      return
    }
    const pending = group.pendingIds.get(memberId)
    if (memberId === '' && instanceId === null) {
      refuse(k.MEMBER_ID_REQUIRED, this.#pendingId(group, sessionTimeoutMs))
    } else if (memberId === '' && instanceId !== null) {
      const newId = `${instanceId}-${this.#random.id()}`
      const oldId = group.statics.get(instanceId)
      if (oldId === undefined) this.#addMember(group, newId, request, respond)
      else this.#replaceStatic(group, oldId, newId, request, respond)
    } else if (pending !== undefined) {
      pending.isCancelled = true
      group.pendingIds.delete(memberId)
      this.#addMember(group, memberId, request, respond)
    } else {
      const problem = checkMember(group, memberId, instanceId)
      if (problem === k.NONE) this.#rejoin(group, group.members.get(memberId) as Member, request, respond)
      else refuse(problem)
    }
  }

  /** A new id, with which its member must come back in time. */
  #pendingId(group: Group, sessionTimeoutMs: number): string {
    const newId = `member-${this.#random.id()}`
    const expiry = this.#queue.afterQuietly(sessionTimeoutMs, () => {
      group.pendingIds.delete(newId)
      this.#completeJoinIfAll(group)
    })
    group.pendingIds.set(newId, expiry)
    return newId
  }

  #rejoin(group: Group, member: Member, request: Request<'JoinGroup'>, respond: Respond<'JoinGroup'>): void {
    const metadata = request.protocols[0]?.metadata ?? nothing
    const isSame = member.metadata.equals(metadata)
    const isLeader = group.leaderId === member.memberId
    const asBefore =
      (group.state === 'CompletingRebalance' && isSame) || (group.state === 'Stable' && isSame && !isLeader)
    if (asBefore) {
      this.#heard(group, member)
      respond(this.#joined(group, member))
      return
    }
    this.#update(member, request, respond)
    if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
    else this.#prepareRebalance(group)
  }

  #addMember(
    group: Group,
    memberId: string,
    request: Request<'JoinGroup'>,
    respond: Respond<'JoinGroup'>,
  ): void {
    if (group.members.size === 0) {
      group.protocolType = request.protocolType
      group.protocolName = request.protocols[0]?.name ?? ''
    }
    const { instanceId } = request
    const member: Member = {
      memberId,
      instanceId,
      sessionTimeoutMs: 0,
      rebalanceTimeoutMs: 0,
      metadata: nothing,
      assignment: nothing,
      joining: null,
      syncing: null,
      session: null,
    }
    this.#update(member, request, respond)
    group.members.set(memberId, member)
    if (instanceId !== null) group.statics.set(instanceId, memberId)
    group.leaderId ??= memberId
    if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
    else this.#prepareRebalance(group)
  }

  #update(member: Member, request: Request<'JoinGroup'>, respond: Respond<'JoinGroup'>): void {
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.metadata = request.protocols[0]?.metadata ?? nothing
    member.joining = respond
    if (member.session !== null) member.session.isCancelled = true
  }

  #replaceStatic(
    group: Group,
    oldId: string,
    newId: string,
    request: Request<'JoinGroup'>,
    respond: Respond<'JoinGroup'>,
  ): void {
    const old = group.members.get(oldId) as Member
    const leaderBefore = group.leaderId ?? ''
    group.members.delete(oldId)
    if (old.session !== null) old.session.isCancelled = true
    old.joining?.(noJoin(k.FENCED_INSTANCE_ID, oldId))
    old.syncing?.({ errorCode: k.FENCED_INSTANCE_ID, assignment: nothing })
    const member: Member = { ...old, memberId: newId, joining: null, syncing: null, session: null }
    group.members.set(newId, member)
    if (member.instanceId !== null) group.statics.set(member.instanceId, newId)
    if (group.leaderId === oldId) group.leaderId = newId
    this.#update(member, request, respond)
    if (group.state === 'Stable') {
      member.joining = null
      this.#heard(group, member)
      this.#store(group)
      // It is told the leader of before, even if that was itself: then it is a follower for once.
      respond({ ...this.#joined(group, member), leaderId: leaderBefore, members: [] })
    } else if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
    else this.#prepareRebalance(group)
  }

  sync(request: Request<'SyncGroup'>, respond: Respond<'SyncGroup'>): void {
    const group = this.#groups.get(request.groupId)
    const problem = this.#checkGeneration(group, request)
    if (group === undefined || problem !== k.NONE) {
      respond({ errorCode: problem, assignment: nothing })
      return
    }
    const member = group.members.get(request.memberId) as Member
    if (group.state === 'PreparingRebalance') {
      respond({ errorCode: k.REBALANCE_IN_PROGRESS, assignment: nothing })
    } else if (group.state === 'Stable') {
      this.#heard(group, member)
      respond({ errorCode: k.NONE, assignment: member.assignment })
    } else {
      member.syncing = respond
      if (member.memberId === group.leaderId) this.#takePlan(group, request.assignments)
    }
  }

  #takePlan(group: Group, assignments: Request<'SyncGroup'>['assignments']): void {
    if (group.syncTimer !== null) group.syncTimer.isCancelled = true
    for (const member of group.members.values()) member.assignment = nothing
    for (const { memberId, assignment } of assignments) {
      const member = group.members.get(memberId)
      if (member !== undefined) member.assignment = assignment
    }
    group.state = 'Stable'
    this.#store(group)
    this.#rebalances++
    for (const member of group.members.values()) {
      const { syncing } = member
      if (syncing === null) continue
      member.syncing = null
      this.#heard(group, member)
      syncing({ errorCode: k.NONE, assignment: member.assignment })
    }
  }

  heartbeat(request: Request<'Heartbeat'>): number {
    const group = this.#groups.get(request.groupId)
    const problem = this.#checkGeneration(group, request)
    if (group === undefined || problem !== k.NONE) return problem
    this.#heard(group, group.members.get(request.memberId) as Member)
    return group.state === 'PreparingRebalance' ? k.REBALANCE_IN_PROGRESS : k.NONE
  }

  leave({ groupId, members }: Request<'LeaveGroup'>): Answer<'LeaveGroup'> {
    const group = this.#groups.get(groupId)
    const answers = members.map(({ memberId, instanceId }) => ({
      memberId,
      errorCode: group === undefined ? k.UNKNOWN_MEMBER_ID : this.#leaveOne(group, memberId, instanceId),
    }))
    // Not before all are out: nobody is given a generation that ends in the same breath.
    if (group !== undefined && answers.some(({ errorCode }) => errorCode === k.NONE)) this.#goOn(group)
    return { errorCode: k.NONE, members: answers }
  }

  #leaveOne(group: Group, memberId: string, instanceId: string | null): number {
    const pending = group.pendingIds.get(memberId)
    if (pending !== undefined) {
      pending.isCancelled = true
      group.pendingIds.delete(memberId)
      return k.NONE
    }
    const byInstance = instanceId === null ? undefined : group.statics.get(instanceId)
    const leaving = memberId === '' ? byInstance : memberId
    if (leaving === undefined) return k.UNKNOWN_MEMBER_ID
    const problem = checkMember(group, leaving, instanceId)
    if (problem === k.NONE) this.#takeOut(group, group.members.get(leaving) as Member)
    return problem
  }

  /** Whether offsets may be committed in a transaction by this member of this generation. */
  checkCommit(request: {
    groupId: string
    generationId: number
    memberId: string
    instanceId: string | null
  }): number {
    const { generationId, memberId, instanceId } = request
    const group = this.#groups.get(request.groupId)
    if (generationId < 0 && (group === undefined || group.state === 'Empty')) return k.NONE
    if (group === undefined) return k.ILLEGAL_GENERATION
    // As brokers have it: whoever names no member is not checked, since older producers cannot name one.
    if (generationId < 0 && memberId === '' && instanceId === null) return k.NONE
    return this.#checkGeneration(group, request)
  }

  #checkGeneration(
    group: Group | undefined,
    request: { generationId: number; memberId: string; instanceId: string | null },
  ): number {
    if (group === undefined) return k.UNKNOWN_MEMBER_ID
    const problem = checkMember(group, request.memberId, request.instanceId)
    if (problem !== k.NONE) return problem
    return request.generationId === group.generationId ? k.NONE : k.ILLEGAL_GENERATION
  }

  /** Offsets of a transaction, which count once it is committed. */
  addPendingOffsets(
    groupId: string,
    producerId: bigint,
    offsets: ReadonlyMap<string, CommittedOffset>,
  ): void {
    const group = this.#groups.get(groupId) ?? this.#newGroup(groupId)
    const pending = group.pendingOffsets.get(producerId) ?? new Map()
    for (const [partition, offset] of offsets)
      pending.set(partition, { ...offset, recordOffset: this.#nextRecordOffset++ })
    group.pendingOffsets.set(producerId, pending)
  }

  /** Of the offsets of several transactions counts the one that was written last, whichever transaction ends last. */
  endTransaction(groupId: string, producerId: bigint, commit: boolean): void {
    const group = this.#groups.get(groupId)
    const pending = group?.pendingOffsets.get(producerId)
    if (group === undefined || pending === undefined) return
    group.pendingOffsets.delete(producerId)
    if (!commit) return
    for (const [partition, written] of pending) {
      const { recordOffset } = group.offsets.get(partition) ?? { recordOffset: -1 }
      if (written.recordOffset > recordOffset) group.offsets.set(partition, written)
    }
  }

  committed(groupId: string, partition: string): CommittedOffset | null {
    return this.#groups.get(groupId)?.offsets.get(partition) ?? null
  }

  hasPendingOffset(groupId: string, partition: string): boolean {
    return this.pendingProducers(groupId, partition).length > 0
  }

  /** Whose transactions have committed an offset of the partition, and are not over. */
  pendingProducers(groupId: string, partition: string): bigint[] {
    const pending = [...(this.#groups.get(groupId)?.pendingOffsets ?? [])]
    return pending.filter(([, offsets]) => offsets.has(partition)).map(([producerId]) => producerId)
  }

  describe(groupId: string): Answer<'DescribeGroups'> {
    const group = this.#groups.get(groupId)
    if (group === undefined) return { errorCode: k.NONE, state: 'Dead', members: [] }
    const isStable = group.state === 'Stable'
    const members = [...group.members.values()].map(({ memberId, metadata, assignment }) => ({
      ...{ memberId, clientId: '', clientHost: '' },
      ...{ metadata: isStable ? metadata : nothing, assignment: isStable ? assignment : nothing },
    }))
    return { errorCode: k.NONE, state: group.state, members }
  }

  delete(groupId: string): number {
    const group = this.#groups.get(groupId)
    if (group === undefined) return k.GROUP_ID_NOT_FOUND
    if (group.state !== 'Empty') return k.NON_EMPTY_GROUP
    this.#groups.delete(groupId)
    return k.NONE
  }

  /** Makes the group rebalance, as a member that joins and goes would. */
  rebalance(groupId: string): void {
    const group = this.#groups.get(groupId)
    if (group !== undefined && group.state === 'Stable') this.#prepareRebalance(group)
  }

  /**
   * The coordinator has moved. Requests that were held back are answered by that. The new one knows what was stored: offsets, and
   * the group as it was after its last complete rebalance. Whatever a rebalance under way had brought is forgotten, with members that
   * had joined since, and without those that had left. Sessions start anew.
   */
  moveCoordinator(groupId: string): void {
    const group = this.#groups.get(groupId)
    if (group === undefined) return
    for (const member of group.members.values()) {
      if (member.session !== null) member.session.isCancelled = true
      member.joining?.(noJoin(k.NOT_COORDINATOR, member.memberId))
      member.syncing?.({ errorCode: k.NOT_COORDINATOR, assignment: nothing })
    }
    for (const timer of [group.rebalanceTimer, group.syncTimer, ...group.pendingIds.values()])
      if (timer !== null) timer.isCancelled = true
    const { stored } = group
    group.pendingIds.clear()
    group.members = new Map(stored?.members.map((member) => [member.memberId, { ...member }]))
    group.statics = new Map()
    for (const { instanceId, memberId } of group.members.values())
      if (instanceId !== null) group.statics.set(instanceId, memberId)
    group.state = group.members.size > 0 ? 'Stable' : 'Empty'
    group.generationId = stored?.generationId ?? 0
    group.protocolType = stored?.protocolType ?? ''
    group.protocolName = stored?.protocolName ?? ''
    group.leaderId = stored?.leaderId ?? null
    for (const member of group.members.values()) this.#heard(group, member)
  }

  /** As brokers do when the leader's plan is there, when a static member comes back, and when the last member has gone. */
  #store(group: Group): void {
    const { generationId, protocolType, protocolName, leaderId } = group
    const members = [...group.members.values()].map((member) => ({
      ...member,
      joining: null,
      syncing: null,
      session: null,
    }))
    group.stored = { generationId, protocolType, protocolName, leaderId, members }
  }

  #newGroup(groupId: string): Group {
    const group: Group = {
      groupId,
      state: 'Empty',
      generationId: 0,
      protocolType: '',
      protocolName: '',
      leaderId: null,
      members: new Map(),
      statics: new Map(),
      pendingIds: new Map(),
      rebalanceTimer: null,
      syncTimer: null,
      isInitialDelay: false,
      offsets: new Map(),
      pendingOffsets: new Map(),
      stored: null,
    }
    this.#groups.set(groupId, group)
    return group
  }

  #heard(group: Group, member: Member): void {
    if (member.session !== null) member.session.isCancelled = true
    member.session = this.#queue.afterQuietly(member.sessionTimeoutMs, () => {
      if (group.members.get(member.memberId) === member && member.joining === null)
        this.#remove(group, member)
    })
  }

  #remove(group: Group, member: Member): void {
    this.#takeOut(group, member)
    this.#goOn(group)
  }

  /** Somebody has gone: those who are left rebalance. */
  #goOn(group: Group): void {
    if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
    else if (group.state !== 'Empty') this.#prepareRebalance(group)
  }

  #takeOut(group: Group, member: Member): void {
    if (member.session !== null) member.session.isCancelled = true
    group.members.delete(member.memberId)
    if (member.instanceId !== null) group.statics.delete(member.instanceId)
    if (group.leaderId === member.memberId) {
      const joined = [...group.members.values()].find(({ joining }) => joining !== null)
      group.leaderId = (joined ?? [...group.members.values()][0])?.memberId ?? null
    }
    // It is told so without its id. Where it waits for its part, it is told nothing at all.
    member.joining?.(noJoin(k.UNKNOWN_MEMBER_ID, ''))
  }

  #prepareRebalance(group: Group): void {
    for (const member of group.members.values()) {
      const { syncing } = member
      member.syncing = null
      if (syncing === null) continue
      this.#heard(group, member)
      syncing({ errorCode: k.REBALANCE_IN_PROGRESS, assignment: nothing })
    }
    if (group.syncTimer !== null) group.syncTimer.isCancelled = true
    const isInitial = group.state === 'Empty'
    group.isInitialDelay = isInitial && this.#settings.initialRebalanceDelayMs > 0
    group.state = 'PreparingRebalance'
    this.#startRebalanceTimer(group)
    // The first rebalance waits for its delay alone, not for those who have been told to come back with an id.
    if (isInitial && !group.isInitialDelay) this.#completeJoin(group)
    else this.#completeJoinIfAll(group)
  }

  #startRebalanceTimer(group: Group): void {
    if (group.rebalanceTimer !== null) group.rebalanceTimer.isCancelled = true
    const longest = Math.max(0, ...[...group.members.values()].map((member) => member.rebalanceTimeoutMs))
    const delayMs = group.isInitialDelay ? this.#settings.initialRebalanceDelayMs : longest
    group.rebalanceTimer = this.#queue.afterQuietly(delayMs, () => {
      group.isInitialDelay = false
      this.#completeJoin(group)
    })
  }

  #completeJoinIfAll(group: Group): void {
    if (group.state !== 'PreparingRebalance' || group.isInitialDelay || group.pendingIds.size > 0) return
    for (const { joining } of group.members.values()) if (joining === null) return
    this.#completeJoin(group)
  }

  #completeJoin(group: Group): void {
    if (group.state !== 'PreparingRebalance') return
    if (group.rebalanceTimer !== null) group.rebalanceTimer.isCancelled = true
    for (const member of [...group.members.values()]) {
      // A static member that has not come back keeps its place until its session times out.
      if (member.joining !== null || member.instanceId !== null) continue
      if (member.session !== null) member.session.isCancelled = true
      group.members.delete(member.memberId)
    }
    const members = [...group.members.values()]
    if (members.length === 0) {
      group.generationId++
      group.state = 'Empty'
      group.leaderId = null
      this.#store(group)
      return
    }
    const leader = group.members.get(group.leaderId ?? '')
    if (leader === undefined || leader.joining === null) {
      const joined = members.find(({ joining }) => joining !== null)
      if (joined === undefined) {
        this.#startRebalanceTimer(group)
        return
      }
      group.leaderId = joined.memberId
    }
    group.generationId++
    group.state = 'CompletingRebalance'
    for (const member of members) {
      const { joining } = member
      member.joining = null
      if (joining === null) continue
      this.#heard(group, member)
      joining(this.#joined(group, member))
    }
    this.#startSyncTimer(group)
  }

  /** Whoever has joined must also ask for its part. */
  #startSyncTimer(group: Group): void {
    const longest = Math.max(...[...group.members.values()].map((member) => member.rebalanceTimeoutMs))
    group.syncTimer = this.#queue.afterQuietly(longest, () => {
      if (group.state !== 'CompletingRebalance') return
      const late = [...group.members.values()].filter(({ syncing }) => syncing === null)
      for (const member of late) {
        if (group.members.has(member.memberId)) this.#remove(group, member)
      }
    })
  }

  #joined(group: Group, member: Member): Answer<'JoinGroup'> {
    const isLeader = group.leaderId === member.memberId
    const members = [...group.members.values()].map(({ memberId, instanceId, metadata }) => ({
      memberId,
      instanceId,
      metadata,
    }))
    return {
      errorCode: k.NONE,
      generationId: group.generationId,
      protocolName: group.protocolName,
      leaderId: group.leaderId ?? '',
      memberId: member.memberId,
      members: isLeader ? members : [],
    }
  }
}

function speaksItsProtocol(group: Group, request: Request<'JoinGroup'>): boolean {
  return (
    request.protocolType === group.protocolType &&
    request.protocols.some(({ name }) => name === group.protocolName)
  )
}

function checkMember(group: Group, memberId: string, instanceId: string | null): number {
  if (instanceId !== null) {
    const current = group.statics.get(instanceId)
    if (current === undefined) return k.UNKNOWN_MEMBER_ID
    if (current !== memberId) return k.FENCED_INSTANCE_ID
  }
  return group.members.has(memberId) ? k.NONE : k.UNKNOWN_MEMBER_ID
}

function noJoin(errorCode: number, memberId: string): Answer<'JoinGroup'> {
  return { errorCode, generationId: -1, protocolName: '', leaderId: '', memberId, members: [] }
}
