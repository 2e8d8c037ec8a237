/** Threads of this process, each with an event loop of its own. */
export interface ThreadHost {
  /** Starts one that is given `data`, a copy of it. */
  start(data: unknown): Thread
}

/** A thread, as the one that has started it sees it. */
export interface Thread {
  /** Resolves when the thread has ended: with the error that nobody in it has caught, or null. */
  readonly ended: Promise<Error | null>
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Ends it wherever it stands; nothing in it is closed in order. */
  terminate(): void
}

/** The other end: what such a thread has of the one that has started it. */
export interface ThreadParent {
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Nothing more is sent or heard; the thread can end. */
  close(): void
}
