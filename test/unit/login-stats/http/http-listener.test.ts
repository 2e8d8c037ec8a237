import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { HttpListener } from '../../../../src/login-stats/http/http-listener.ts'
import { createLogger } from '../../../../src/system/logger.ts'
import { cleanUpAll, cleanUpLater } from '../../../support/clean-ups.ts'

afterEach(cleanUpAll)

test('a request that does not arrive in time is answered with 408, and its connection is closed', async () => {
  const listener = await HttpListener.open({
    ...{ host: '127.0.0.1', port: 0, mustHavePort: true, log: createLogger({ level: 'silent' }) },
    requestTimeoutMs: 200,
  })
  cleanUpLater(() => listener.close())
  const socket = connect(listener.port, '127.0.0.1')
  cleanUpLater(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /)
}, 15_000)
