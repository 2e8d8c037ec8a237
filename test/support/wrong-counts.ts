/** The one failure that must never be: something published, or counted, is not what the input says. */
export class WrongCounts extends Error {
  override readonly name = 'WrongCounts'
  /** How many places differ. */
  readonly wrong: number

  constructor(what: string, wrong: number) {
    super(what)
    this.wrong = wrong
  }
}
