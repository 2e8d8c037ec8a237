/** Draws frame over frame in place on a terminal. */
export interface Screen {
  write(text: string): void
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** Begins a control sequence. */
const csi = '\u001b['
const hideCursor = `${csi}?25l`
const showCursor = `${csi}?25h`
/** Lines that are wider than the terminal are cut by it, so that a frame is as many lines as it has. */
const wrapNot = `${csi}?7l`
const wrap = `${csi}?7h`
const clearScreen = `${csi}2J${csi}H`
const clearToLineEnd = `${csi}K`
const clearBelow = `${csi}J`

const usualColumns = 80
const usualRows = 24
/** A frame of fewer lines shows too little: what stands above it makes way. */
const leastLines = 20

/**
 * Lines may stand above the frames. They are written once, and again where the screen is cleared. Where there is no room for them, they
 * scroll away, and the first of them stands above each frame in their place.
 */
export class LiveView {
  readonly #screen: Screen
  readonly #above: readonly string[]
  #drawnLines = 0
  #drawnSize = ''

  constructor(screen: Screen, above: readonly string[] = []) {
    this.#screen = screen
    this.#above = above
  }

  /** What a frame may take: the last line stays free, so that drawing never scrolls. */
  get size(): { readonly columns: number; readonly lines: number } {
    const { columns, rows } = this.#screenSize
    return {
      columns,
      lines: Math.max(1, rows - 1 - (this.#hasRoomAbove ? this.#heightAbove : this.#short.length)),
    }
  }

  /** Draws a frame over the last one. The lines must fit into `size`. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.#screenSize
    const size = `${columns}x${rows}`
    const isFirst = this.#drawnSize === ''
    // After a change of size the terminal has wrapped the old frame anew: nobody knows where it begins.
    const isResized = !isFirst && size !== this.#drawnSize
    const back = this.#drawnLines > 0 ? `${csi}${this.#drawnLines}A` : ''
    const start = isResized ? clearScreen : `${back}\r`
    const above = isFirst || (isResized && this.#hasRoomAbove) ? this.#above : []
    // On the lowest screens the short line makes way too.
    const frame = (this.#hasRoomAbove ? lines : [...this.#short, ...lines]).slice(-Math.max(1, rows - 1))
    const text = (some: readonly string[]) => some.map((line) => `${line}${clearToLineEnd}\n`).join('')
    // Cursor and wrapping are as they were after each frame: whatever ends or suspends the process could not put them back.
    this.#screen.write(
      `${hideCursor}${start}${text(above)}${wrapNot}${text(frame)}${clearBelow}${wrap}${showCursor}`,
    )
    this.#drawnLines = frame.length
    this.#drawnSize = size
  }

  get #screenSize(): { readonly columns: number; readonly rows: number } {
    // A terminal that does not know its size says 0.
    return { columns: this.#screen.columns || usualColumns, rows: this.#screen.rows || usualRows }
  }

  get #heightAbove(): number {
    const { columns } = this.#screenSize
    return this.#above.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0)
  }

  get #hasRoomAbove(): boolean {
    return this.#screenSize.rows - 1 - this.#heightAbove >= leastLines
  }

  get #short(): string[] {
    return this.#above.slice(0, 1).map((line) => line.slice(0, this.#screenSize.columns))
  }
}
