// What is asked of WebGPU, counted where it is asked: in this thread, and in the package's worker for the GPU.

/** Begins to count in this thread; returns what tells it so far. Other threads run it from its text. */
function countHere() {
  const counts = { pipelines: 0, dispatches: 0, bufferBytes: 0 };
  const memories = new Set();
  let held = 0;
  const around = (type, name, before) => {
    const method = type?.prototype[name];
    if (!method) return;
    type.prototype[name] = function (...given) {
      before(this, ...given);
      return method.apply(this, given);
    };
  };
  around(globalThis.GPUDevice, 'createComputePipeline', () => counts.pipelines++);
  around(globalThis.GPUDevice, 'createComputePipelineAsync', () => counts.pipelines++);
  around(globalThis.GPUComputePassEncoder, 'dispatchWorkgroups', () => counts.dispatches++);
  around(globalThis.GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => counts.dispatches++);
  const gone = new WeakSet();
  around(globalThis.GPUDevice, 'createBuffer', (_, { size }) => {
    held += size;
    counts.bufferBytes = Math.max(counts.bufferBytes, held);
  });
  around(globalThis.GPUBuffer, 'destroy', (buffer) => {
    if (!gone.has(buffer)) held -= buffer.size;
    gone.add(buffer);
  });
  const { Instance, Memory, instantiate, instantiateStreaming } = WebAssembly;
  const note = ({ exports }) => Object.values(exports).forEach((value) => value instanceof Memory && memories.add(value));
  WebAssembly.Memory = new Proxy(Memory, {
    construct: (target, given) => {
      const memory = new target(...given);
      memories.add(memory);
      return memory;
    },
  });
  WebAssembly.Instance = new Proxy(Instance, {
    construct: (target, given) => {
      const instance = new target(...given);
      note(instance);
      return instance;
    },
  });
  for (const [name, method] of Object.entries({ instantiate, instantiateStreaming })) {
    WebAssembly[name] = async (...given) => {
      const made = await method.apply(WebAssembly, given);
      note(made.instance ?? made);
      return made;
    };
  }
  return () => ({ ...counts, wasmBytes: [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0) });
}

const ofPage = countHere();
let workers = 0;

/** What was asked so far. */
export async function counted() {
  const sum = ofPage();
  if (workers === 0) return sum;
  const channel = new BroadcastChannel('counted');
  const told = await new Promise((resolve) => {
    channel.onmessage = ({ data }) => data && resolve(data);
    channel.postMessage(null);
  });
  channel.close();
  return Object.fromEntries(Object.entries(sum).map(([name, value]) => [name, value + told[name]]));
}

window.Worker = class extends Worker {
  constructor(url, options) {
    if (!String(url).endsWith('gpu-worker.js')) return super(url, options);
    workers++;
    const script = `const told = (${countHere})();
      const channel = new BroadcastChannel('counted');
      channel.onmessage = ({ data }) => data === null && channel.postMessage(told());
      await import(${JSON.stringify(String(url))});`;
    super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
  }
};
