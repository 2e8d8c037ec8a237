/**
 * Whether a broker serves: it answers a Metadata request in which all brokers of the cluster are listed (one that
 * has started but may not serve yet is not listed). A few bytes by hand, because kafkajs belongs to `src/kafka`.
 */
import { connect, type Socket } from 'node:net'
import { systemClock } from '../system/clock.ts'

const metadataKey = 3
/** Understood by all brokers from 1.0 to 4.3. */
const metadataVersion = 4
const answerTimeoutMs = 2000
const pauseMs = 50

/**
 * Asks again and again until all ids are listed. False if `goOn` says so first; it is asked before each try.
 * A try that fails is no news: the broker is not there yet.
 */
export async function waitUntilServing(
  host: string,
  port: number,
  ids: readonly number[],
  goOn: () => boolean,
): Promise<boolean> {
  while (goOn()) {
    const listed = await listedBrokers(host, port).catch((): number[] => [])
    if (ids.every((id) => listed.includes(id))) return true
    await systemClock.sleep(pauseMs)
  }
  return false
}

/** The ids in the broker's answer to Metadata. Rejects if it cannot be had within two seconds. */
export async function listedBrokers(host: string, port: number): Promise<number[]> {
  const socket = connect(port, host)
  try {
    return brokerIds(await answer(socket, metadataRequest()))
  } finally {
    socket.destroy()
  }
}

/** Header v1 without client id; no topics; no creation of topics. */
function metadataRequest(): Buffer {
  const request = Buffer.alloc(19)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(metadataKey, 4)
  request.writeInt16BE(metadataVersion, 6)
  request.writeInt32BE(1, 8)
  request.writeInt16BE(-1, 12)
  request.writeInt32BE(0, 14)
  request.writeInt8(0, 18)
  return request
}

/** The answer's bytes after its length. */
function answer(socket: Socket, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const cancel = systemClock.setTimer(answerTimeoutMs, () => socket.destroy(new Error('No answer in time')))
    socket.once('close', () => {
      cancel()
      reject(new Error('The connection was closed'))
    })
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4) return
      const end = 4 + received.readInt32BE(0)
      if (received.length >= end) resolve(received.subarray(4, end))
    })
    socket.write(request)
  })
}

/** Correlation id, throttle time, then per broker: id, host, port, rack. */
function brokerIds(body: Buffer): number[] {
  const count = body.readInt32BE(8)
  const ids: number[] = []
  let position = 12
  for (let i = 0; i < count; i += 1) {
    ids.push(body.readInt32BE(position))
    position = afterString(body, position + 4) + 4
    position = afterString(body, position)
  }
  return ids
}

function afterString(body: Buffer, position: number): number {
  return position + 2 + Math.max(0, body.readInt16BE(position))
}
