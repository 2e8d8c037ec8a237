/**
 * Gets what tests of the deployment use and what is not there yet (tools.ts) into the cache: promtool and Prometheus from Debian's package,
 * which is unpacked and not installed; helm and kubeconform by Go, and by it the schemas of Kubernetes. What cannot be had within the time is
 * told, and its tests are skipped: that is no failure.
 *
 *   npm run tools
 */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { runCommand } from '../../src/local-kafka/command.ts'
import { schemasOfApi, schemasOfResource } from './kubernetes-schemas.ts'
import {
  cachedTool,
  findTool,
  schemaDirectory,
  schemaVersions,
  type ToolName,
  toolVersions,
} from './tools.ts'

/** For everything together. */
const timeLimitMs = 300_000
const deadline = Date.now() + timeLimitMs

async function run(command: string, args: readonly string[]): Promise<string> {
  const timeoutMs = Math.max(1, deadline - Date.now())
  const { exitCode, stdout, stderr } = await runCommand(command, args, { timeoutMs })
  if (exitCode === 0) return stdout
  const reason = Date.now() >= deadline ? `not within ${timeLimitMs / 1000} s` : stderr.trim().slice(-500)
  throw new Error(`${command} ${args.join(' ').slice(0, 100)}: ${reason}`)
}

async function unpackPrometheus(scratch: string, name: ToolName): Promise<string> {
  const download = `cd '${scratch}' && apt-get download prometheus`
  await run('sh', ['-c', `{ ${download}; } || { apt-get update && ${download}; }`])
  const [archive = ''] = (await readdir(scratch)).filter((file) => file.endsWith('.deb'))
  await run('dpkg-deb', ['--extract', join(scratch, archive), join(scratch, 'unpacked')])
  return join(scratch, 'unpacked/usr/bin', name)
}

async function buildWithGo(scratch: string, name: ToolName, module: string): Promise<string> {
  const target = `${module}@v${toolVersions[name]}`
  await run('env', [`GOBIN=${scratch}`, 'go', 'install', '-trimpath', '-ldflags', '-s -w', target])
  return join(scratch, name)
}

const makers: Readonly<Record<ToolName, (scratch: string) => Promise<string>>> = {
  promtool: (scratch) => unpackPrometheus(scratch, 'promtool'),
  prometheus: (scratch) => unpackPrometheus(scratch, 'prometheus'),
  kubeconform: (scratch) =>
    buildWithGo(scratch, 'kubeconform', 'github.com/yannh/kubeconform/cmd/kubeconform'),
  helm: (scratch) => buildWithGo(scratch, 'helm', 'helm.sh/helm/v3/cmd/helm'),
}

/** The directory of a Go module, which need not hold Go. */
async function goModule(path: string): Promise<string> {
  const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', path])) as { Dir: string }
  return Dir
}

async function fetchSchemas(scratch: string): Promise<string> {
  const { kubernetes, prometheusOperator, keda } = schemaVersions
  const target = join(scratch, 'schemas')
  await mkdir(target)
  const write = async (schemas: ReadonlyMap<string, object>) => {
    for (const [name, schema] of schemas) await writeFile(join(target, name), JSON.stringify(schema))
  }
  const api = await goModule(`k8s.io/kubernetes@v${kubernetes}`)
  await write(schemasOfApi(JSON.parse(await readFile(join(api, 'api/openapi-spec/swagger.json'), 'utf8'))))
  const operator = await goModule(`github.com/prometheus-operator/prometheus-operator@v${prometheusOperator}`)
  const scaler = await goModule(`github.com/kedacore/keda/v2@v${keda}`)
  for (const file of [
    join(operator, 'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml'),
    join(operator, 'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml'),
    join(scaler, 'config/crd/bases/keda.sh_scaledobjects.yaml'),
    join(scaler, 'config/crd/bases/keda.sh_triggerauthentications.yaml'),
  ])
    await write(schemasOfResource(parse(await readFile(file, 'utf8'))))
  return target
}

/** Makes `target` under another name first: a reader finds it whole or not at all. */
async function fetchInto(
  target: string,
  what: string,
  make: (scratch: string) => Promise<string>,
): Promise<void> {
  const start = Date.now()
  const scratch = await mkdtemp(join(tmpdir(), 'login-stats-tools-'))
  try {
    const made = await make(scratch)
    await mkdir(dirname(target), { recursive: true })
    const fetching = `${target}.fetching-${process.pid}`
    if (what === 'schemas') await run('cp', ['-r', made, fetching])
    else await copyFile(made, fetching)
    await rename(fetching, target)
    console.log(`${what}: fetched in ${Math.round((Date.now() - start) / 1000)} s`)
  } catch (error) {
    console.log(`${what}: not to be had: ${error instanceof Error ? error.message : error}`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function getTool(name: ToolName): Promise<void> {
  const { command } = findTool(name)
  if (command === null) await fetchInto(cachedTool(name), name, makers[name])
  else console.log(`${name}: ${command}`)
}

async function getSchemas(): Promise<void> {
  const directory = schemaDirectory()
  if (existsSync(directory)) console.log(`schemas: ${directory}`)
  else await fetchInto(directory, 'schemas', fetchSchemas)
}

// What takes longest comes last but one: kubeconform is of no use without helm, and shares much of its building with it.
await getTool('promtool')
await getTool('prometheus')
await getSchemas()
await getTool('helm')
await getTool('kubeconform')
