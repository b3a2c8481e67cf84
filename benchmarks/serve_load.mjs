// Sends requests at a constant rate, whatever the answers take, or as fast as some connections allow, with the package
// `loadtest`; prints one JSON object. benchmarks/serve.py starts it:
//
//   node serve_load.mjs '{"loadtest": FOLDER, "url": ..., "bodies": FILE, "seconds": 30, "rate": 50}'
//
// `bodies` has one body a line. Latency is from the moment a request is sent to the last byte of its answer.

import {readFileSync} from 'node:fs'
import {createRequire} from 'node:module'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

const given = JSON.parse(process.argv[2])
const found = createRequire(join(given.loadtest, 'x.js')).resolve('loadtest')
const {loadTest} = await import(pathToFileURL(found))

const bodies = readFileSync(given.bodies, 'utf8').trimEnd().split('\n')
const latencies = []
const statuses = {}
const models = {}
let sent = 0
const errors = {}

function generate(options, params, client, callback) {
	const body = bodies[sent++ % bodies.length]
	const began = process.hrtime.bigint()
	params.headers = {...params.headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body)}
	const request = client(params, response => {
		response.on('end', () => {
			latencies.push(Number(process.hrtime.bigint() - began) / 1e6)
			statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1
			const model = response.headers['x-cocorec-model']
			models[model] = (models[model] ?? 0) + 1
		})
		callback(response)
	})
	request.on('error', error => { errors[error.code] = (errors[error.code] ?? 0) + 1 })
	request.write(body)
	return request
}

const ends = given.rate
	? {requestsPerSecond: given.rate, maxRequests: Math.round(given.rate * given.seconds), maxSeconds: given.seconds + 60}
	: {maxSeconds: given.seconds}
const began = process.hrtime.bigint()
await loadTest({
	url: given.url,
	method: 'POST',
	agentKeepAlive: true,
	concurrency: given.connections,
	requestGenerator: generate,
	quiet: true,
	...ends,
})
const settled = () => latencies.length + Object.values(errors).reduce((sum, count) => sum + count, 0)
for (let tries = 0; given.rate && settled() < sent && tries < 300; tries++) {
	await new Promise(resolve => setTimeout(resolve, 100)) // what is still on its way
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9
latencies.sort((a, b) => a - b)
const at = share => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]
console.log(JSON.stringify({
	sent,
	answered: latencies.length,
	errors,
	statuses,
	models: Object.keys(models).length,
	seconds,
	requests_per_second: latencies.length / seconds,
	p50_ms: at(0.5),
	p99_ms: at(0.99),
	max_ms: latencies.at(-1),
}))
process.exit(0)
