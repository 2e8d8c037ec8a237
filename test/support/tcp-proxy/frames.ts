import { codecs } from '../../../src/kafka/wire/codecs/codecs.ts'
import type { ApiName } from '../../../src/kafka/wire/wire.ts'

/** What kafkajs itself asks for when a connection begins is not among the requests of the port. */
export type ProxiedApi = ApiName | 'other'

export type Direction = 'request' | 'answer'

/** One request or answer, on its way through the proxy. */
export interface Frame {
  readonly direction: Direction
  readonly api: ProxiedApi
  /** As it is on the wire, length included. */
  readonly bytes: Buffer
}

const apiByKey = new Map(Object.entries(codecs).map(([name, codec]) => [codec.apiKey, name as ApiName]))

/** Of a request: length (int32), api key (int16), version (int16), correlation id (int32). */
export function requestHead(bytes: Buffer): { api: ProxiedApi; correlationId: number } {
  return { api: apiByKey.get(bytes.readInt16BE(4)) ?? 'other', correlationId: bytes.readInt32BE(8) }
}

/** Of an answer: length (int32), correlation id (int32). */
export function answerCorrelationId(bytes: Buffer): number {
  return bytes.readInt32BE(4)
}

/** Of the answer to EndTxn v1: length, correlation id, throttle time (int32), error code (int16). */
export function endTxnErrorCode(bytes: Buffer): number {
  return bytes.readInt16BE(12)
}

/** Cuts a stream into frames, in whatever pieces it comes. */
export class FrameCutter {
  #pieces: Buffer[] = []
  #size = 0

  /** The frames that are complete now. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece)
    this.#size += piece.length
    const frames: Buffer[] = []
    for (
      let length = this.#nextLength();
      length !== null && this.#size >= length;
      length = this.#nextLength()
    ) {
      const all = Buffer.concat(this.#pieces)
      frames.push(all.subarray(0, length))
      this.#pieces = [all.subarray(length)]
      this.#size -= length
    }
    return frames
  }

  /** Bytes of the frame that has begun, its length field included; null where not even that is there. */
  #nextLength(): number | null {
    if (this.#size < 4) return null
    const [first] = this.#pieces
    if (first === undefined || first.length < 4) this.#pieces = [Buffer.concat(this.#pieces)]
    return 4 + (this.#pieces[0]?.readInt32BE(0) ?? 0)
  }
}

/**
 * Sends clients that read this answer to the proxies of the brokers: only the port differs, so nothing changes its length. The
 * answers that name brokers are those to Metadata (a compact string) and FindCoordinator (a string): a host, its length before,
 * its port (int32) after it.
 */
export function withProxiedPorts(frame: Frame, portOf: ReadonlyMap<string, number>): Buffer {
  if (frame.api !== 'Metadata' && frame.api !== 'FindCoordinator') return frame.bytes
  const bytes = Buffer.from(frame.bytes)
  for (const [address, proxiedPort] of portOf) {
    const colon = address.lastIndexOf(':')
    const host = Buffer.from(address.slice(0, colon))
    const pattern = Buffer.alloc(host.length + 4)
    host.copy(pattern)
    pattern.writeInt32BE(Number(address.slice(colon + 1)), host.length)
    for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + pattern.length)) {
      bytes.writeInt32BE(proxiedPort, at + host.length)
    }
  }
  return bytes
}
