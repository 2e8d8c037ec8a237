import { expect, test } from 'vitest'
import { schemaFileName, schemasOfApi, schemasOfResource } from '../../support/kubernetes-schemas.ts'

const kind = (group: string, version: string, name: string) => ({ group, version, kind: name })

test('files are called as kubeconform asks for them', () => {
  expect(schemaFileName(kind('', 'v1', 'Service'))).toBe('service-v1.json')
  expect(schemaFileName(kind('apps', 'v1', 'StatefulSet'))).toBe('statefulset-apps-v1.json')
  expect(schemaFileName(kind('networking.k8s.io', 'v1', 'NetworkPolicy'))).toBe(
    'networkpolicy-networking-v1.json',
  )
})

test('a kind gets a strict schema with what it refers to, and no more', () => {
  const schemas = schemasOfApi({
    definitions: {
      A: {
        type: 'object',
        'x-kubernetes-group-version-kind': [kind('g', 'v1', 'A')],
        properties: { b: { $ref: '#/definitions/B' }, free: { type: 'object' } },
      },
      B: {
        type: 'object',
        properties: { size: { $ref: '#/definitions/Q' }, again: { $ref: '#/definitions/B' } },
      },
      Q: { type: 'string', description: 'Quantity is a fixed-point number' },
      Other: { type: 'object', properties: {} },
    },
  })
  expect([...schemas.keys()]).toEqual(['a-g-v1.json'])
  const schema = schemas.get('a-g-v1.json') as { $ref: string; definitions: Record<string, object> }
  expect(schema.$ref).toBe('#/definitions/A')
  expect(Object.keys(schema.definitions).toSorted()).toEqual(['A', 'B', 'Q'])
  expect(schema.definitions.A).toMatchObject({ additionalProperties: false })
  expect(schema.definitions.B).toMatchObject({ additionalProperties: false })
  expect(schema.definitions.Q).toEqual({ anyOf: [{ type: 'string' }, { type: 'number' }] })
})

test('a field that is called `properties` is no schema of an object', () => {
  const schemas = schemasOfResource({
    spec: {
      group: 'x.y',
      names: { kind: 'Z' },
      versions: [
        {
          name: 'v2',
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                properties: { type: 'array', items: { type: 'object', additionalProperties: {} } },
              },
            },
          },
        },
      ],
    },
  })
  expect(schemas.get('z-x-v2.json')).toEqual({
    type: 'object',
    additionalProperties: false,
    properties: { properties: { type: 'array', items: { type: 'object', additionalProperties: {} } } },
  })
})
