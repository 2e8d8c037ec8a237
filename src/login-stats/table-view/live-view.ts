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
const clearScreen = `${csi}2J${csi}H`
const clearToLineEnd = `${csi}K`
const clearBelow = `${csi}J`

const usualColumns = 80
const usualRows = 24

export class LiveView {
  readonly #screen: Screen
  #drawnLines = 0
  #drawnSize = ''

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** What a frame may take: the last line stays free, so that drawing never scrolls. */
  get size(): { readonly columns: number; readonly lines: number } {
    // A terminal that does not know its size says 0.
    const columns = this.#screen.columns || usualColumns
    const rows = this.#screen.rows || usualRows
    return { columns, lines: Math.max(1, rows - 1) }
  }

  /** Draws a frame over the last one. The lines must fit into `size`. */
  draw(lines: readonly string[]): void {
    const { columns, lines: rows } = this.size
    const size = `${columns}x${rows}`
    // After a change of size the terminal has wrapped the old frame anew: nobody knows where it begins.
    const isResized = this.#drawnLines > 0 && size !== this.#drawnSize
    const back = this.#drawnLines > 0 ? `${csi}${this.#drawnLines}A` : ''
    const start = isResized ? clearScreen : `${back}\r`
    const body = lines.map((line) => `${line}${clearToLineEnd}\n`).join('')
    this.#screen.write(`${hideCursor}${start}${body}${clearBelow}`)
    this.#drawnLines = lines.length
    this.#drawnSize = size
  }

  /** Gives the cursor back; the last frame stays. */
  close(): void {
    this.#screen.write(showCursor)
  }
}
