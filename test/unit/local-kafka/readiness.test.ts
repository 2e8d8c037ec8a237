import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { freePorts } from '../../../src/local-kafka/free-ports.ts'
import { listedBrokers, waitUntilServing } from '../../../src/local-kafka/readiness.ts'

let server: Server | undefined

afterEach(() => server?.close())

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  server = createServer(onConnection).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A Metadata answer, version 4, that lists these brokers. */
function metadataAnswer(ids: readonly number[]): Buffer {
  const brokers = ids.map((id) => {
    const host = 'some.host'
    const broker = Buffer.alloc(4 + 2 + host.length + 4 + 2)
    broker.writeInt32BE(id, 0)
    broker.writeInt16BE(host.length, 4)
    broker.write(host, 6)
    // The first has no rack, the others an empty one.
    broker.writeInt16BE(id === ids[0] ? -1 : 0, broker.length - 2)
    return broker
  })
  const head = Buffer.alloc(16)
  head.writeInt32BE(1, 4)
  head.writeInt32BE(ids.length, 12)
  const rest = Buffer.from('what follows')
  const answer = Buffer.concat([head, ...brokers, rest])
  answer.writeInt32BE(answer.length - 4, 0)
  return answer
}

test('the brokers of an answer are read, however the bytes arrive', async () => {
  const answer = metadataAnswer([1, 2, 70_000])
  const port = await listen((socket) => {
    socket.once('data', async () => {
      for (const byte of answer) {
        socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
  })
  expect(await listedBrokers('127.0.0.1', port)).toEqual([1, 2, 70_000])
})

test('a broker serves only when it lists all that it should', async () => {
  let connections = 0
  const port = await listen((socket) => {
    connections += 1
    socket.end(metadataAnswer(connections < 3 ? [1] : [1, 2]))
  })
  expect(await waitUntilServing('127.0.0.1', port, [1, 2], () => true)).toBe(true)
  expect(connections).toBe(3)
})

test('a connection that closes without an answer is a failure', async () => {
  const port = await listen((socket) => socket.end())
  await expect(listedBrokers('127.0.0.1', port)).rejects.toThrow()
})

test('waiting ends when it is told to', async () => {
  const [port = 0] = await freePorts(1)
  let tries = 3
  expect(await waitUntilServing('127.0.0.1', port, [1], () => tries-- > 0)).toBe(false)
  expect(tries).toBe(-1)
})

test('free ports are different and can be listened on', async () => {
  const ports = await freePorts(9)
  expect(new Set(ports).size).toBe(9)
  server = createServer().listen(ports[0], '127.0.0.1')
  await once(server, 'listening')
})
