/** A host as it stands in a URL. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', ''])

/** Where to ask a server that listens on this host; on `address` if it listens on all addresses of the machine. */
export function reachableHost(listensOn: string, address: string): string {
  return wildcards.has(listensOn) ? address : listensOn
}
