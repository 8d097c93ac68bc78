// A whole control plane inside this program: `npm install jotasu`, then `node server-in-process.mjs`. In a checkout of Jotasu it runs
// as it is, once the program has been built. Nodes there are none, so the pods stay Pending.
import { Deployment, isNotFound, Namespace, Pod, startServer } from 'jotasu';

const server = await startServer();
console.log(`serving ${server.url}`);
try {
  const { client } = server;
  await client(Namespace).create({ metadata: { name: 'shop' } });
  await client(Deployment).create({
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'docker.io/library/busybox:1.36' }] },
      },
    },
  });

  // Follow the pods until the controllers have made all of them.
  const names = await new Promise((resolve, reject) => {
    const seen = new Set();
    const ended = new AbortController();
    const onEvents = (events) => {
      for (const event of events) if (event.type === 'ADDED') seen.add(event.object.metadata.name);
      if (seen.size < 3) return;
      ended.abort();
      resolve([...seen]);
    };
    client(Pod).watch({ namespace: 'shop' }, { onEvents, onEnd: reject }, ended.signal);
  });
  console.log(`${names.length} pods of web`);

  // Whatever speaks to Kubernetes takes it from here: write `server.kubeconfig` to a file and set KUBECONFIG.
  console.log(server.kubeconfig.includes(server.url) ? 'a kubeconfig for kubectl' : 'no kubeconfig');

  await client(Pod)
    .get('none', 'shop')
    .catch((error) => console.log(isNotFound(error) ? error.message : error));
} finally {
  await server.stop();
}
