import type { GroupDescription } from '../../ports/kafka.ts'
import type { Topology } from '../topology/topology.ts'
import { tasksOf } from './assignor.ts'
import { decodeAssignmentMetadata, decodeMemberMetadata } from './member-metadata.ts'

/** A member of the group, as Kafka and the member itself tell of it. */
export interface MemberView {
  readonly memberId: string
  /** Where the broker sees it. */
  readonly clientHost: string
  /** Of its process; members of one process have the same. Null while the group has no assignment. */
  readonly processId: string | null
  /** Where its process answers questions, as the application has it; null where it does not. */
  readonly endpoint: string | null
  readonly activeTasks: readonly string[]
  readonly standbyTasks: readonly string[]
}

/** Who has which task: what anybody can find out who may describe the group. */
export function viewMembers(topology: Topology, { members }: GroupDescription): MemberView[] {
  return members.map(({ memberId, clientHost, userData, assignment }) => {
    const said = userData.length === 0 ? null : decodeMemberMetadata(userData)
    return {
      ...{ memberId, clientHost },
      processId: said === null ? null : (said.processId ?? memberId),
      endpoint: originOf(said?.endpoint),
      activeTasks: tasksOf(topology, assignment.partitions),
      standbyTasks: decodeAssignmentMetadata(assignment.userData).standbyTasks,
    }
  })
}

/** Whoever is in the group may say anything: only an address of a server is believed, without a path or a name to log in with. */
function originOf(endpoint: unknown): string | null {
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return null
  const { protocol, origin, username } = new URL(endpoint)
  return (protocol === 'http:' || protocol === 'https:') && username === '' ? origin : null
}
