// Some registries carry only some platforms' binary packages. npm then leaves the others out of package-lock.json,
// and `npm ci` refuses such a lock. This adds an entry for each, so that it is known and skipped where it doesn't fit.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'linuxmusl', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** What a binary package's name says of where it fits, in npm's terms. */
function platform(name) {
  if (name === 'fsevents') return { os: ['darwin'] }
  const words = name.split(/[/-]/)
  const os = words.find(word => systems.includes(word))
  const cpu = words.find(word => processors.includes(word))
  if (cpu === undefined) throw new Error(`cannot tell the platform of ${name}; teach .ci/complete-lock.mjs`)
  const libc = os === 'linuxmusl' || words.includes('musl') ? 'musl' : words.includes('gnu') ? 'glibc' : undefined
  return { cpu: [cpu], ...(libc && { libc: [libc] }), ...(os && { os: [os.replace('linuxmusl', 'linux')] }) }
}

for (const [folder, entry] of Object.entries(lock.packages)) {
  const optionalPeers = Object.keys(entry.peerDependenciesMeta ?? {})
  for (const [name, wanted] of Object.entries(entry.optionalDependencies ?? {})) {
    const isKnown = [`node_modules/${name}`, `${folder}/node_modules/${name}`].some(place => place in lock.packages)
    if (isKnown || optionalPeers.includes(name)) continue
    const version = wanted.replace(/^[~^]/, '')
    lock.packages[`node_modules/${name}`] = { version, ...platform(name), ...(entry.dev && { dev: true }), optional: true }
    console.log(`added ${name} ${version}`)
  }
}

const sorted = Object.entries(lock.packages).sort(([left], [right]) => (left < right ? -1 : 1))
writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
