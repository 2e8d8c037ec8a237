/** The few files beside the databases in the state directory. */
export interface StateFiles {
  /** Makes the directory and its parents, and makes sure that it can be written. Throws STATE_DIR_UNUSABLE. */
  makeDirectory(path: string): Promise<void>
  /** Names of the directories in it; none if it does not exist. */
  directories(path: string): Promise<string[]>
  /** Content of a small text file; null if it does not exist. */
  read(path: string): Promise<string | null>
  /** All or nothing, and on disk when it resolves. */
  writeAtomically(path: string, content: string): Promise<void>
  /** Bytes of the files in a directory, those in directories of it left out; 0 if it does not exist. */
  sizeInBytes(path: string): Promise<number>
  /** Deletes the directory with all that is in it; one that does not exist is fine. */
  remove(path: string): Promise<void>
}
