/**
 * The wire reaches inside kafkajs, so it only works with the very files it was written against. This test at start proves
 * that they are the ones installed.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { CodedError } from '../errors.ts'

const pinnedVersion = '2.2.4'

/**
 * SHA-256 of what is imported from inside kafkajs, overridden, or relied on by it: of a file its content; of a folder, for
 * each file in the order of the paths, the path, a zero byte and the content.
 */
const pinned: Readonly<Record<string, string>> = {
  'src/broker/index.js': '9cbea8898528c439c213080f99d86974460114f81b5034c49aeb593a0337ca90',
  'src/broker/saslAuthenticator': 'bcc427334e3e0f6ef8bb41cf89bc52d4d6962bb7efb2a9819bcc6abcd22a2334',
  'src/network/connection.js': '2a993b2e74421ca6d846efd59e4ba74b11100dbe7d40d0f52ea3218e917aafdd',
  'src/network/connectionStatus.js': 'a0464f790cd648400dd655a133ea6bf86d21affeb86bc959aec867d2e97ff63f',
  'src/network/requestQueue': '2908fc63651c2cef7edabe973fdc998a7754d42932c6a76fe6d9d042731aa1cf',
  'src/network/socket.js': '9922c37e8a4d9e6b040e3bf8d6d74ca9f4c39c3c875deadc0f9dc5052e714ebe',
  'src/protocol/decoder.js': '83c43fac8d6b8ef2dcf0dfe8bc4494e84c2c94d2b59fbe41a670505a5fcba41b',
  'src/protocol/encoder.js': '9977889e184a9e910e4f6098c36ec6a0ca36c183aa6ead0f24191b6aa1c9a777',
  'src/protocol/error.js': '8911e3226a8aebddc2fffe2b2504379f966b804995dd911713c8c495c3673188',
  'src/protocol/requests/addOffsetsToTxn': 'b4e618941ef8c5618d3d94e9eed96679125a7d23add82798dd097b065b4cf8f0',
  'src/protocol/requests/addPartitionsToTxn':
    'c41693e22c3941fab8966fc619a872d4c428fe18511ed84af5f032d6fd9fb5a8',
  'src/protocol/requests/apiKeys.js': '3b45eaab564cb47d512fde51dffa29aa6f01d8b2124c43319d223a0d583524f6',
  'src/protocol/requests/apiVersions': 'd49c7c97f7d93a8c2056a2101eec2d44a64633625e65616b5bc60954b2aebcff',
  'src/protocol/requests/createPartitions':
    'ffaeaf989c397c90fbf868170853f5b5b39251718858f60630948f69c3745baf',
  'src/protocol/requests/createTopics': '116eb8c8b33bd6737b1f677652dac06a8198ccdb172eacfab878b9343e38d510',
  'src/protocol/requests/deleteGroups': '486affac44dad81d5b41c136db283028f38c0f1a7d12c707369822dd25053f87',
  'src/protocol/requests/deleteRecords': '61021f8349490138c7e3d4cb7716838d865bc7142d79109ecbe40acc83dfb987',
  'src/protocol/requests/deleteTopics': '13f57526f6e8acf954ee6f1cdd0393620b5608f724058cf62316848f59c7198e',
  'src/protocol/requests/describeConfigs': '4a7ed0ab4c4c3e813b5b505e073dde86c02f4ed9fa01d7c987398f6aa729fffd',
  'src/protocol/requests/describeGroups': '20d5196e51152120eca8f5f4d8349647e5f3b2393fcfb268777037a2c8abb67d',
  'src/protocol/requests/endTxn': '0ed84c09461263d31fa4f935c16ff7a853b7b22d60295285c5c244a7d48d928c',
  'src/protocol/requests/findCoordinator': 'f219c4a38ba78b259c9b54bee5188d796d38c3961a771b1199b010f07932aa48',
  'src/protocol/requests/heartbeat': 'e23e8244980fad75c1c2f07d248eba65fb60e9e23af3402c8d98e08e385b4da5',
  'src/protocol/requests/index.js': 'fd26a30565d7f0c14883140b7f4edadc42f34278a5f40084009b940c858ea2fd',
  'src/protocol/requests/initProducerId': '889a8892ef2ba89ae64414f475f2bc9edc6ae1f2105d895fad3821894bf5b60a',
  'src/protocol/requests/joinGroup': '441629427db8b1d834f6153e54d001dce6321d0d4efaa3d5cde3d942e50fa2a9',
  'src/protocol/requests/listOffsets': '40f25d27f02c23a8b07dbaa48c2c08626f99c79133e9a0abb019d1eae526a8cd',
  'src/protocol/requests/saslAuthenticate':
    '2c8cf01a156227c27e451a5e949cc57cf53e2ed0a1302c77dd442019167bae7d',
  'src/protocol/requests/saslHandshake': '0667ac5b44a5ae831bb676f058d53a5af33e8f0c50668b402b9d39f83c86a594',
  'src/protocol/requests/syncGroup': 'b3ec6e8b65a3985acceeaa9445c0b5e39f509686398258ca6221ad5f270079f3',
  'src/protocol/sasl': 'a39b1ec3d755f07e004832212612e91e06b4c98ad1fc0a1c7ae1dd3fe6f15e12',
  'src/utils/lock.js': 'd843297318f54c80bfaaf1b2393c145cf367ea76ee190e46dd983145e35a9087',
  'src/utils/long.js': 'c85b8ecea7cf07520328e3e9c3b205c4fab5b68a657e3a92c400b582a5c1aa2c',
  'src/utils/sharedPromiseTo.js': '064400319bdfecea95ad5f2e553e61df197179b906093299dc6511743944254a',
}

/**
 * Throws KAFKAJS_CHANGED, naming the first file or folder that differs.
 *
 * @param folder the kafkajs package; by default the one that is installed.
 */
export function assertPinnedKafkajs(folder: string = installedKafkajs()): void {
  const version: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
  if (version !== pinnedVersion) throw changed(folder, `Its version is ${version}, not ${pinnedVersion}.`)
  for (const [name, expected] of Object.entries(pinned)) {
    const path = join(folder, name)
    if (digest(path) !== expected) throw changed(path, 'It is not the file of the pinned version.')
  }
}

function installedKafkajs(): string {
  return dirname(createRequire(import.meta.url).resolve('kafkajs/package.json'))
}

/** Null if there is nothing to read. */
function digest(path: string): string | null {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return null
  const hash = createHash('sha256')
  if (!entry.isDirectory()) return hash.update(readFileSync(path)).digest('hex')
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  for (const name of names.sort()) {
    const file = join(path, name)
    if (statSync(file).isFile()) hash.update(`${name}\u0000`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

function changed(path: string, detail: string): CodedError {
  return new CodedError('KAFKAJS_CHANGED', { operation: 'self-test of kafkajs', path, detail })
}
