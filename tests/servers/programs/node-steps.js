/*
 * Timers, worker threads, a child process, fs.watch and the thread pool.
 *
 * A number begins with a timer, goes to a worker thread (by message, and a sum in memory shared by
 * all of them), to a child process and back, into a file whose change fs.watch tells, and through the
 * thread pool; the lines are printed in order. What a line says follows from its number alone:
 *
 *	node node-steps.js                 goes on until SIGTERM
 *	node node-steps.js --expected LAST what it has to have printed then
 */
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { fork } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');

const WORKERS = 4;
const FOLDER = '/tmp/watched';

const digest = (text) => crypto.createHash('sha256').update(text).digest('hex').slice(0, 16);
const workerSays = (number) => digest(`worker ${number}`);
const childSays = (word) => digest(`child ${word}`);
const poolSays = (word) => crypto.pbkdf2Sync(word, 'salt', 10, 8, 'sha256').toString('hex');
const lineOf = (number) => `${number} ${poolSays(childSays(workerSays(number)))}`;

/* A thread: it waits for its number in shared memory before it answers. */
function work() {
	const memory = new Int32Array(workerData.memory);
	parentPort.on('message', (number) => {
		if (number === null)
			return parentPort.close();
		Atomics.wait(memory, 0, 0, 2); // nobody wakes it: the time has to pass
		Atomics.add(memory, 1, 1);
		parentPort.postMessage({ number, word: workerSays(number) });
	});
}

function answer() {
	process.on('message', ({ number, word }) => {
		setTimeout(() => process.send({ number, word: childSays(word) }), 1);
	});
	process.on('disconnect', () => process.exit(7));
}

function run() {
	const memory = new SharedArrayBuffer(8);
	const sum = new Int32Array(memory);
	const workers = [];
	const ready = new Map();
	const child = fork(__filename, ['--child']);
	let next = 0, printed = 0, ended = false, watched = 0, immediates = 0, ticks = 0;

	fs.mkdirSync(FOLDER, { recursive: true });
	const waiting = new Map(); // file name: what comes when its change is told
	const watcher = fs.watch(FOLDER, (event, name) => {
		const then = waiting.get(name);
		if (then === undefined)
			return;
		waiting.delete(name);
		watched++;
		then();
	});

	const print = () => {
		while (ready.has(printed)) {
			console.log(`${printed} ${ready.get(printed)}`);
			ready.delete(printed++);
		}
		if (ended && printed === next)
			finish();
	};
	const intoPool = (number, word) => {
		crypto.pbkdf2(word, 'salt', 10, 8, 'sha256', (error, key) => {
			if (error)
				throw error;
			zlib.gzip(key.toString('hex'), (error, packed) => {
				if (error)
					throw error;
				ready.set(number, zlib.gunzipSync(packed).toString());
				print();
			});
		});
	};
	child.on('message', ({ number, word }) => {
		const name = `file${number}`;
		waiting.set(name, () => fs.unlink(`${FOLDER}/${name}`, () => intoPool(number, word)));
		fs.writeFile(`${FOLDER}/${name}`, word, (error) => {
			if (error)
				throw error;
		});
	});
	for (let i = 0; i < WORKERS; i++) {
		workers.push(new Worker(__filename, { workerData: { memory } }));
		workers[i].on('message', (message) => child.send(message));
	}
	const timer = setInterval(() => {
		if (next - printed < 50)
			workers[next % WORKERS].postMessage(next++);
	}, 5);
	const other = setInterval(() => { ticks++; setImmediate(() => immediates++); }, 20);
	/* The last act: everything that was begun has come to its end. */
	const finish = () => {
		clearInterval(other);
		watcher.close();
		child.on('exit', (code) => {
			console.log(`end ${printed} child ${code} sum ${sum[1]} watched ${watched} ` +
				`immediates ${immediates > 0 && ticks - immediates <= 1}`);
		});
		child.disconnect();
	};
	process.on('SIGTERM', () => {
		clearInterval(timer);
		for (const worker of workers)
			worker.postMessage(null);
		ended = true;
		print();
	});
}

if (!isMainThread) {
	work();
} else if (process.argv[2] === '--child') {
	answer();
} else if (process.argv[2] === '--expected') {
	const last = Number(process.argv[3]);
	for (let number = 0; number < last; number++)
		console.log(lineOf(number));
	console.log(`end ${last} child 7 sum ${last} watched ${last} immediates true`);
} else {
	run();
}
