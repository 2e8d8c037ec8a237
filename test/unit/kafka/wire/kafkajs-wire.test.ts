import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createKafkajsWire, type KafkajsWireOptions } from '../../../../src/kafka/wire/kafkajs-wire.ts'
import type { Wire } from '../../../../src/kafka/wire/wire.ts'
import type { Log } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { type Behaviour, ScriptedBroker, type ScriptedBrokerOptions } from './scripted-broker.ts'

const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
}

/** Heartbeat v3: throttle time, error code. */
const heartbeatAnswer = (errorCode: number): string => `00000000${errorCode.toString(16).padStart(4, '0')}`
const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm', instanceId: null }
const soon = { timeoutMs: 10_000, lane: 'a' }

const opened: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function broker(behaviour: Behaviour, options?: ScriptedBrokerOptions): Promise<ScriptedBroker> {
  const started = await ScriptedBroker.start(behaviour, options)
  opened.push(() => started.stop())
  return started
}

function wireTo(servers: readonly string[], options: Partial<KafkajsWireOptions> = {}): Wire {
  const common = { clientId: 'test', log: silent, clock: systemClock, connectionTimeoutMs: 5000 }
  const wire = createKafkajsWire({ ...common, bootstrapServers: servers, ...options })
  opened.unshift(() => wire.close())
  return wire
}

/** A port where nobody listens. */
async function freeAddress(): Promise<string> {
  const stopped = await ScriptedBroker.start(() => {})
  const { address } = stopped
  await stopped.stop()
  return address
}

/** Metadata v10 with one broker and no topics, behind the flexible header. */
function metadataAnswer(nodeId: number, port: number): string {
  const int32 = (value: number): string => value.toString(16).padStart(8, '0')
  const host = Buffer.from('127.0.0.1')
  const hostText = `${(host.length + 1).toString(16).padStart(2, '0')}${host.toString('hex')}`
  const oneBroker = `02${int32(nodeId)}${hostText}${int32(port)}0000`
  return `00${int32(0)}${oneBroker}00${int32(nodeId)}01${int32(0)}00`
}

describe('a request that was not written', () => {
  test('is KAFKA_UNREACHABLE when nobody listens', async () => {
    const wire = wireTo([await freeAddress()])
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
    })
  })

  test('is KAFKA_UNREACHABLE when the broker takes the connection and says nothing', async () => {
    const deaf = await broker(() => {}, { greets: false })
    const wire = wireTo([deaf.address], { connectionTimeoutMs: 500 })
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
    })
    expect(deaf.received).toEqual([])
  })

  test('is never written once its time is up, though later ones are', async () => {
    const answering: Behaviour = (request, self) => self.answer(request, heartbeatAnswer(0))
    const slow = await broker(answering, { greetsAfterMs: 200 })
    const wire = wireTo([slow.address])
    const early = wire.send(
      'bootstrap',
      'Heartbeat',
      { ...heartbeat, memberId: 'early' },
      { ...soon, timeoutMs: 30 },
    )
    await expect(early).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
    await wire.send('bootstrap', 'Heartbeat', { ...heartbeat, memberId: 'later' }, soon)
    expect(slow.received.map(({ body }) => body.includes('later'))).toEqual([true])
  })

  test('is UNSUPPORTED_BROKER when the broker does not speak the version', async () => {
    const old = await broker(() => {}, { maxVersion: 2 })
    const wire = wireTo([old.address])
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'UNSUPPORTED_BROKER',
      message: expect.stringContaining('Version 3 is needed; the broker has versions 0 to 2'),
    })
    expect(old.received).toEqual([])
  })

  test('is KAFKA_UNREACHABLE when the cluster has no such broker', async () => {
    const alone = await broker((request, self) => self.answer(request, metadataAnswer(1, alone.port)))
    const wire = wireTo([alone.address])
    await expect(wire.send(9, 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: expect.stringContaining('no broker 9'),
    })
  })

  test('says so, when what listens does not speak the protocol of Kafka', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => socket.destroy())
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    opened.push(async () => void server.close())
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const wire = wireTo([`127.0.0.1:${port}`])
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: expect.stringContaining('not Kafka'),
    })
  })
})

describe('a request that was written', () => {
  test('is OUTCOME_UNKNOWN after its time, and the connection is given up', async () => {
    let isAwake = true
    const sleepy = await broker((request, self) => {
      if (isAwake) self.answer(request, heartbeatAnswer(0))
    })
    const wire = wireTo([sleepy.address])
    // To connect takes its time.
    await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)
    isAwake = false
    const late = wire.send('bootstrap', 'Heartbeat', heartbeat, { timeoutMs: 100, lane: 'a' })
    await expect(late).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    isAwake = true
    expect(await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).toEqual({ errorCode: 0 })
    expect(sleepy.sockets).toHaveLength(2)
  })

  test.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('is OUTCOME_UNKNOWN, with all others in flight, when the connection is %s', async (_, cut) => {
    let isCutting = true
    const cutter = await broker((request, self) => {
      if (!isCutting) self.answer(request, heartbeatAnswer(0))
      else if (self.received.length === 3) cut(request.socket)
    })
    const wire = wireTo([cutter.address])
    const sent = [1, 2, 3].map(() => wire.send('bootstrap', 'Heartbeat', heartbeat, soon))
    for (const outcome of await Promise.allSettled(sent))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'OUTCOME_UNKNOWN' } })
    isCutting = false
    expect(await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).toEqual({ errorCode: 0 })
  })

  test('is OUTCOME_UNKNOWN when the answer cannot be read', async () => {
    const garbling = await broker((request, self) => self.answer(request, '0000'))
    const wire = wireTo([garbling.address])
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    })
  })

  test('is OUTCOME_UNKNOWN when the wire is closed, and later ones are not sent', async () => {
    const deaf = await broker(() => {})
    const wire = wireTo([deaf.address])
    const open = wire.send('bootstrap', 'Heartbeat', heartbeat, soon)
    const outcome = expect(open).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await expect.poll(() => deaf.received.length).toBe(1)
    await wire.close()
    await outcome
    await expect(wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
    })
    expect(deaf.received).toHaveLength(1)
  })

  test('is not timed out if its answer came while the process was busy', async () => {
    const quick = await broker((request, self) => {
      self.answer(request, heartbeatAnswer(0))
      // The answer is in the socket; then nothing runs until long after the request's time is up.
      setImmediate(() => {
        const until = performance.now() + 200
        while (performance.now() < until);
      })
    })
    const wire = wireTo([quick.address])
    await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)
    const options = { timeoutMs: 100, lane: 'a' }
    expect(await wire.send('bootstrap', 'Heartbeat', heartbeat, options)).toEqual({ errorCode: 0 })
  })
})

describe('lanes', () => {
  test('write requests in the order in which they were given, whatever codec they need', async () => {
    const echo = await broker((request, self) => {
      const isProduce = request.apiKey === 0
      self.answer(request, isProduce ? '0000000000000000' : heartbeatAnswer(0))
    })
    const wire = wireTo([echo.address])
    const produce = { transactionalId: null, timeoutMs: 1, partitions: [] }
    const sent: Promise<unknown>[] = []
    for (let index = 0; index < 20; index++) {
      sent.push(wire.send('bootstrap', 'Heartbeat', heartbeat, soon))
      sent.push(wire.send('bootstrap', 'Produce', produce, soon))
    }
    await Promise.all(sent)
    expect(echo.received.map(({ apiKey }) => apiKey)).toEqual(
      Array.from({ length: 20 }, () => [12, 0]).flat(),
    )
    expect(echo.sockets).toHaveLength(1)
  })

  test('do not wait for one another', async () => {
    const holding = await broker((request, self) => {
      if (request.apiKey === 12) self.answer(request, heartbeatAnswer(27))
    })
    const wire = wireTo([holding.address])
    const fetch = { maxWaitMs: 1000, minBytes: 1, maxBytes: 1, partitions: [] }
    const held = wire.send('bootstrap', 'Fetch', fetch, { timeoutMs: 1500, lane: 'fetch' })
    const outcome = expect(held).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)).toEqual({ errorCode: 27 })
    await wire.close()
    await outcome
  })
})

describe('addresses', () => {
  test('the bootstrap servers take turns, and one that is down is passed over', async () => {
    const up = await broker((request, self) => self.answer(request, heartbeatAnswer(0)))
    const wire = wireTo([await freeAddress(), up.address])
    for (const lane of ['a', 'b', 'c'])
      expect(await wire.send('bootstrap', 'Heartbeat', heartbeat, { ...soon, lane })).toEqual({
        errorCode: 0,
      })
    expect(up.sockets).toHaveLength(3)
  })

  test('of a broker that moved are asked for again', async () => {
    const answering: Behaviour = (request, self) => self.answer(request, heartbeatAnswer(0))
    const before = await broker(answering)
    let port = before.port
    const bootstrap = await broker((request, self) => self.answer(request, metadataAnswer(5, port)))
    const wire = wireTo([bootstrap.address])
    await wire.send(5, 'Heartbeat', heartbeat, soon)
    await before.stop()
    const after = await broker(answering)
    port = after.port
    await vi.waitFor(() => wire.send(5, 'Heartbeat', heartbeat, soon), { timeout: 20_000 })
    expect(after.received.length).toBeGreaterThan(0)
  })
})

test('an idle connection sets no timers', async () => {
  const quick = await broker((request, self) => self.answer(request, heartbeatAnswer(0)))
  const wire = wireTo([quick.address])
  await wire.send('bootstrap', 'Heartbeat', heartbeat, soon)
  const timeout = vi.spyOn(globalThis, 'setTimeout')
  const interval = vi.spyOn(globalThis, 'setInterval')
  await new Promise<void>((resolve) => {
    let turns = 0
    const turn = (): void => void (++turns < 2000 ? setImmediate(turn) : resolve())
    turn()
  })
  const calls = timeout.mock.calls.length + interval.mock.calls.length
  vi.restoreAllMocks()
  expect(calls).toBe(0)
})

test.each(['localhost', 'localhost:', ':9092', ''])('the bootstrap server "%s" is refused', (server) => {
  expect(() => wireTo([server])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})
