/**
 * JSON schemas for kubeconform from what Kubernetes and operators publish: the OpenAPI document of the API, and resource definitions.
 * Each kind gets a schema that needs no other file. They are strict: a field that the API does not know is an error, as it mostly is
 * a mistyped one.
 */

export interface Schema {
  readonly [name: string]: unknown
}

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface OpenApi {
  readonly definitions: Readonly<Record<string, Schema>>
}

interface ResourceDefinition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly schema: { readonly openAPIV3Schema: Schema }
    }[]
  }
}

/** As kubeconform asks for it: `{{.ResourceKind}}{{.KindSuffix}}.json`. */
export function schemaFileName({ group, version, kind }: GroupVersionKind): string {
  const groupPart = group === '' ? '' : `${group.split('.')[0]}-`
  return `${kind}-${groupPart}${version}.json`.toLowerCase()
}

/** The schemas of all kinds of an OpenAPI document, by file name. */
export function schemasOfApi({ definitions }: OpenApi): Map<string, Schema> {
  const strictDefinitions = new Map(
    Object.entries(definitions).map(([name, definition]) => [name, strict(definition)]),
  )
  const schemas = new Map<string, Schema>()
  for (const [name, definition] of Object.entries(definitions)) {
    const kinds = (definition['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[]
    // Those that stand for more than one kind are options of requests, not resources.
    if (kinds.length !== 1) continue
    const [kind] = kinds
    if (kind === undefined) continue
    const needed = reachable(name, strictDefinitions)
    schemas.set(schemaFileName(kind), { $ref: `#/definitions/${name}`, definitions: needed })
  }
  return schemas
}

/** The schemas of all versions of a CustomResourceDefinition, by file name. */
export function schemasOfResource({ spec }: ResourceDefinition): Map<string, Schema> {
  return new Map(
    spec.versions.map(({ name, schema }) => [
      schemaFileName({ group: spec.group, version: name, kind: spec.names.kind }),
      strict(schema.openAPIV3Schema),
    ]),
  )
}

function reachable(start: string, definitions: ReadonlyMap<string, Schema>): Record<string, Schema> {
  const found: Record<string, Schema> = {}
  const open = [start]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const definition = definitions.get(name)
    if (definition === undefined || name in found) continue
    found[name] = definition
    for (const [, next = ''] of JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g))
      open.push(next)
  }
  return found
}

/** Quantities and ports are texts or numbers, which OpenAPI 2 cannot say. */
const textOrNumber = { anyOf: [{ type: 'string' }, { type: 'number' }] }

function strict(value: unknown): Schema {
  return mapped(value) as Schema
}

function mapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mapped)
  if (typeof value !== 'object' || value === null) return value
  const schema = value as Schema
  if (schema.format === 'int-or-string' || String(schema.description).startsWith('Quantity is a fixed-point'))
    return textOrNumber
  const result = Object.fromEntries(Object.entries(schema).map(([name, inner]) => [name, mapped(inner)]))
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true
  // `properties` may itself be the name of a property: then its value is a schema, with a type.
  const hasProperties = isObject(schema.properties) && schema.type === 'object'
  if (hasProperties && schema.additionalProperties === undefined && !isOpen)
    result.additionalProperties = false
  return result
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
