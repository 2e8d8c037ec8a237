/** JoinGroup v5, SyncGroup v3, Heartbeat v3, LeaveGroup v3, OffsetFetch v7, DescribeGroups v2, DeleteGroups v1. */
import {
  type Codec,
  Decoder,
  Encoder,
  flexibleDecoder,
  kafkajsCodec,
  readByTopicCompact,
  readNumber64,
  writeArray,
  writeCompactArray,
  writeNoTags,
} from './codec.ts'

const noBytes = Buffer.alloc(0)

interface JoinedGroup {
  errorCode: number
  generationId: number
  groupProtocol: string | null
  leaderId: string | null
  memberId: string | null
  members: { memberId: string; groupInstanceId: string | null; memberMetadata: Buffer | null }[]
}

export const joinGroupCodec = kafkajsCodec<'JoinGroup', JoinedGroup>({
  name: 'JoinGroup',
  version: 5,
  options: (request) => ({
    groupId: request.groupId,
    sessionTimeout: request.sessionTimeoutMs,
    rebalanceTimeout: request.rebalanceTimeoutMs,
    memberId: request.memberId,
    groupInstanceId: request.instanceId,
    protocolType: request.protocolType,
    groupProtocols: request.protocols,
  }),
  answer: ({ errorCode, generationId, groupProtocol, leaderId, memberId, members }) => ({
    errorCode,
    generationId,
    protocolName: groupProtocol ?? '',
    leaderId: leaderId ?? '',
    memberId: memberId ?? '',
    members: members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      metadata: member.memberMetadata ?? noBytes,
    })),
  }),
})

export const syncGroupCodec = kafkajsCodec<
  'SyncGroup',
  { errorCode: number; memberAssignment: Buffer | null }
>({
  name: 'SyncGroup',
  version: 3,
  options: ({ groupId, generationId, memberId, instanceId, assignments }) => ({
    groupId,
    generationId,
    memberId,
    groupInstanceId: instanceId,
    groupAssignment: assignments.map((member) => ({
      memberId: member.memberId,
      memberAssignment: member.assignment,
    })),
  }),
  answer: ({ errorCode, memberAssignment }) => ({ errorCode, assignment: memberAssignment ?? noBytes }),
})

export const heartbeatCodec = kafkajsCodec<'Heartbeat', { errorCode: number }>({
  name: 'Heartbeat',
  version: 3,
  options: ({ groupId, generationId, memberId, instanceId }) => ({
    groupId,
    groupGenerationId: generationId,
    memberId,
    groupInstanceId: instanceId,
  }),
  answer: ({ errorCode }) => ({ errorCode }),
})

/** kafkajs has this version, but lets only one member leave. */
export const leaveGroupCodec: Codec<'LeaveGroup'> = {
  apiKey: 13,
  version: 3,
  flexible: false,
  encode({ groupId, members }) {
    const encoder = new Encoder().writeString(groupId)
    writeArray(encoder, members, ({ memberId, instanceId }) =>
      encoder.writeString(memberId).writeString(instanceId),
    )
    return [encoder.buffer]
  },
  decode(body) {
    const decoder = new Decoder(body)
    decoder.readInt32() // throttle time
    const errorCode = decoder.readInt16()
    const members = decoder.readArray(() => {
      const memberId = decoder.readString() ?? ''
      decoder.readString() // instance id
      return { memberId, errorCode: decoder.readInt16() }
    })
    return { errorCode, members }
  },
}

/** Version 7 is flexible, and the first with requireStable. */
export const offsetFetchCodec: Codec<'OffsetFetch'> = {
  apiKey: 9,
  version: 7,
  flexible: true,
  encode({ groupId, topics, requireStable }) {
    const encoder = new Encoder().writeUVarIntString(groupId)
    writeCompactArray(encoder, topics, ({ topic, partitions }) => {
      encoder.writeUVarIntString(topic)
      writeCompactArray(encoder, partitions, (partition) => encoder.writeInt32(partition))
      writeNoTags(encoder)
    })
    encoder.writeBoolean(requireStable)
    writeNoTags(encoder)
    return [encoder.buffer]
  },
  decode(body) {
    const decoder = flexibleDecoder(body)
    decoder.readInt32() // throttle time
    const partitions = readByTopicCompact(decoder, (topic) => {
      const partition = decoder.readInt32()
      const offset = readNumber64(decoder)
      decoder.readInt32() // leader epoch
      const metadata = decoder.readUVarIntString() ?? ''
      const errorCode = decoder.readInt16()
      return { topic, partition, errorCode, offset, metadata }
    })
    return { errorCode: decoder.readInt16(), partitions }
  },
}

interface DescribedGroups {
  groups: {
    errorCode: number
    state: string
    members: {
      memberId: string
      clientId: string
      clientHost: string
      memberMetadata: Buffer
      memberAssignment: Buffer
    }[]
  }[]
}

export const describeGroupsCodec = kafkajsCodec<'DescribeGroups', DescribedGroups>({
  name: 'DescribeGroups',
  version: 2,
  options: ({ groupId }) => ({ groupIds: [groupId] }),
  answer: ({ groups: [group] }) => {
    if (group === undefined) throw new RangeError('The answer describes no group')
    const { errorCode, state, members } = group
    return {
      errorCode,
      state,
      members: members.map(({ memberId, clientId, clientHost, memberMetadata, memberAssignment }) => ({
        ...{ memberId, clientId, clientHost },
        ...{ metadata: memberMetadata, assignment: memberAssignment },
      })),
    }
  },
})

export const deleteGroupsCodec = kafkajsCodec<'DeleteGroups', { results: { errorCode: number }[] }>({
  name: 'DeleteGroups',
  version: 1,
  options: ({ groupId }) => [groupId],
  answer: ({ results: [result] }) => {
    if (result === undefined) throw new RangeError('The answer has no result')
    return { errorCode: result.errorCode }
  },
})
