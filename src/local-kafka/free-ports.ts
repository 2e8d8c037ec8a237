import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { systemRandom } from '../system/random.ts'
import { unavailable } from './unavailable.ts'

/**
 * Below the ports that systems give to outgoing connections, so that none of those takes the port of a broker
 * while it is stopped.
 */
const lowestPort = 20_000
const highestPort = 32_000
const attempts = 1000

/** Ports of 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>()
  for (let attempt = 0; servers.size < count; attempt += 1) {
    if (attempt === attempts) throw unavailable('Looking for free ports', 'There seem to be none.')
    const port = lowestPort + Math.floor(systemRandom.next() * (highestPort - lowestPort))
    const server = await tryToListen(port)
    if (server !== null) servers.set(port, server)
  }
  for (const server of servers.values()) server.close()
  return [...servers.keys()]
}

async function tryToListen(port: number): Promise<Server | null> {
  const server = createServer()
  const taken = new Promise<null>((resolve) => server.once('error', () => resolve(null)))
  server.listen(port, '127.0.0.1')
  return Promise.race([taken, once(server, 'listening').then(() => server)])
}
