// What kubectl says when something is wrong: the text of each is what it says against Kubernetes.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "busybox:1.36"}]
`;
const other = web.replace('name: web', 'name: zz');
const stdin = 'error when creating "STDIN"';
const unfit = 'Deployment in version "v1" cannot be handled as a Deployment';

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram({ tokens: 'good-token,carol,1,"devs"\n' });
    k = new Kubectl(server);
    await k.ok('create -f -', web);
    await k.ok('create svc clusterip web --tcp=80');
    await k.ok('create secret generic s');
    await k.ok('create job j --image=i');
    await k.ok('create cronjob cj --image=i --schedule=@daily');
    await k.ok('create pdb p --selector=a=b --min-available=1');
    await k.ok('create priorityclass pc --value=1');
    await k.ok('autoscale deploy web --max=5');
    await k.ok('run p --image=i');
    await k.ok(
      'create -f -',
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed"},"immutable":true,"data":{"a":"b"}}',
    );
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  test.concurrent.each<[string, string, string | RegExp]>([
    [
      'an unknown field',
      other.replace('replicas', 'replicass'),
      `Error from server (BadRequest): ${stdin}: ${unfit}: strict decoding error: unknown field "spec.replicass"`,
    ],
    [
      'a wrong type',
      other.replace('replicas: 2', 'replicas: "2"'),
      `Error from server (BadRequest): ${stdin}: ${unfit}: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`,
    ],
    [
      'a wrong type deep inside',
      other.replace('"busybox:1.36"', '5'),
      `Error from server (BadRequest): ${stdin}: ${unfit}: json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string`,
    ],
    [
      'a missing image',
      other.replace(', image: "busybox:1.36"', ''),
      'The Deployment "zz" is invalid: spec.template.spec.containers[0].image: Required value',
    ],
    [
      'a missing selector',
      other.replace(/ {2}selector.*\n/, ''),
      'The Deployment "zz" is invalid:\n* spec.selector: Required value\n* spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      'a negative number',
      other.replace('replicas: 2', 'replicas: -2'),
      'The Deployment "zz" is invalid: spec.replicas: Invalid value: -2: must be greater than or equal to 0',
    ],
    [
      'a name in capitals',
      web.replace('name: web', 'name: We_b'),
      `The Deployment "We_b" is invalid: metadata.name: Invalid value: "We_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
    [
      'no name',
      web.replace('{name: web}', '{}'),
      'The Deployment "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'the same again',
      web,
      `Error from server (AlreadyExists): ${stdin}: deployments.apps "web" already exists`,
    ],
    [
      'a namespace that is not there',
      web.replace('name: web', 'name: zz, namespace: nope'),
      `Error from server (NotFound): ${stdin}: namespaces "nope" not found`,
    ],
    ['no kind', web.replace('kind: Deployment\n', ''), /error validating data: kind not set/],
    ['no apiVersion', web.replace('apiVersion: apps/v1\n', ''), /error validating data: apiVersion not set/],
    [
      'a group that is not there',
      'apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\n',
      /^error: resource mapping not found for name: "a" namespace: "" from "STDIN": no matches for kind "Foo" in version "x.io\/v1"\nensure CRDs are installed first$/,
    ],
    [
      'broken YAML',
      'a: b\n\tc: d\n',
      'error: error parsing STDIN: error converting YAML to JSON: yaml: line 2: found a tab character that violates indentation',
    ],
    ['nothing', '', 'error: no objects passed to create'],
  ])('create refuses %s', (_, manifest, message) => k.refuses('create -f -', message, manifest));

  test('an unknown field warns when asked to, and passes unseen when asked to', async () => {
    const manifest = other.replace('replicas', 'replicass');
    expect(await k.run('create -f - --validate=warn --dry-run=server', { input: manifest })).toEqual({
      code: 0,
      out: 'deployment.apps/zz created (server dry run)\n',
      err: 'Warning: unknown field "spec.replicass"\n',
    });
    expect(await k.run('create -f - --validate=ignore --dry-run=server', { input: manifest })).toMatchObject({
      code: 0,
      err: '',
    });
  });

  // kubectl itself would send the last of the two.
  test('a field twice', () =>
    k.refuses(
      'create --raw /api/v1/namespaces/default/configmaps?fieldValidation=Strict -f -',
      'Error from server (BadRequest): ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"',
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"zz"},"data":{"a":"b","a":"c"}}',
    ));

  test.concurrent.each<[string, string, string | RegExp]>([
    [
      'deploy web',
      '{"spec":{"selector":{"matchLabels":{"app":null,"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}}}}}',
      'The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
    ],
    [
      'svc web',
      '{"spec":{"clusterIP":"10.96.0.99"}}',
      'The Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set',
    ],
    [
      'secret s',
      '{"type":"x/y"}',
      'The Secret "s" is invalid: type: Invalid value: "x/y": field is immutable',
    ],
    [
      'cm fixed',
      '{"data":{"a":"c"}}',
      'The ConfigMap "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      'cm fixed',
      '{"immutable":false}',
      'The ConfigMap "fixed" is invalid: immutable: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      'pc pc',
      '{"value":7}',
      'The PriorityClass "pc" is invalid: value: Invalid value: 7: field is immutable',
    ],
    [
      'job j',
      '{"spec":{"completions":3}}',
      'The Job "j" is invalid: spec.completions: Invalid value: 3: field is immutable',
    ],
    [
      'job j',
      '{"spec":{"template":{"spec":{"restartPolicy":"OnFailure"}}}}',
      /^The Job "j" is invalid: spec\.template: Invalid value: \{.*\}: field is immutable$/,
    ],
    [
      'cj cj',
      '{"spec":{"schedule":"bad"}}',
      'The CronJob "cj" is invalid: spec.schedule: Invalid value: "bad": expected exactly 5 fields, found 1: [bad]',
    ],
    [
      'pdb p',
      '{"spec":{"maxUnavailable":1}}',
      /^The PodDisruptionBudget "p" is invalid: spec: Invalid value: .*: minAvailable and maxUnavailable cannot be both set$/,
    ],
    [
      'hpa web',
      '{"spec":{"minReplicas":9}}',
      'The HorizontalPodAutoscaler "web" is invalid: spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`',
    ],
    [
      'pod p',
      '{"spec":{"nodeName":"x"}}',
      /^The Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than /,
    ],
    [
      'pod p',
      '{"spec":{"containers":[{"name":"q","image":"i"}]}}',
      'The Pod "p" is invalid: spec.containers: Forbidden: pod updates may not add or remove containers',
    ],
    [
      'ns default',
      '{"metadata":{"name":"x"}}',
      'Error from server (BadRequest): the name of the object (x) does not match the name on the URL (default)',
    ],
    ['deploy none', '{}', 'Error from server (NotFound): deployments.apps "none" not found'],
    [
      'deploy web',
      '{"metadata":{"resourceVersion":"1"},"spec":{"replicas":9}}',
      'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [
      'deploy web',
      '{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}',
      'Error from server: map: map[image:x] does not contain declared merge key: name',
    ],
    [
      'deploy web --type=merge',
      '{"spec":{"replicas":"x"}}',
      /^The request is invalid: patch: Invalid value: ".*": json: cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32$/,
    ],
    [
      'deploy web --type=merge',
      '{bad',
      "Error from server (BadRequest): error decoding patch: invalid character 'b' looking for beginning of object key string",
    ],
    [
      'deploy web --type=json',
      '{}',
      'Error from server (BadRequest): json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    ],
    [
      'deploy web --type=json',
      '[{"op":"test","path":"/spec/replicas","value":99}]',
      /^The request is invalid: the server rejected our request due to an error in our request$/m,
    ],
  ])('patch %s with %s is refused', (what, patch, message) =>
    k.refuses(`patch ${what} -p '${patch}'`, message),
  );

  test.concurrent.each<[string, string | RegExp]>([
    ['get unicorns', `error: the server doesn't have a resource type "unicorns"`],
    ['get deployments.v2.apps', `error: the server doesn't have a resource type "deployments"`],
    ['get pods none', 'Error from server (NotFound): pods "none" not found'],
    ['get pods -n nowhere none', 'Error from server (NotFound): namespaces "nowhere" not found'],
    ['get pods p svc/web', /^error: there is no need to specify a resource type as a separate argument/],
    [
      'get pods --field-selector foo=bar',
      'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "foo=bar": field label not supported: foo',
    ],
    [
      'get pods --field-selector foo',
      `Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "foo": invalid selector: 'foo'; can't understand 'foo'`,
    ],
    [
      "get pods -l 'a in (c'",
      `Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "a in (c", field selector "": unable to parse requirement: found '', expected: ',' or ')'`,
    ],
    [
      'get --raw /api/v1/pods?limit=x',
      /^Error from server \(BadRequest\): .*strconv.ParseInt: parsing "x": invalid syntax$/,
    ],
    [
      'get --raw /api/v1/pods?resourceVersion=x',
      'Error from server (BadRequest): invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
    ],
    ['create cm web -n nope', 'error: failed to create configmap: namespaces "nope" not found'],
    [
      'create svc clusterip web --tcp=80',
      'error: failed to create ClusterIP service: services "web" already exists',
    ],
    [
      'create ns Bad_Name',
      `The Namespace "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
    ],
    [
      'run q --image=i --port=99999',
      'The Pod "q" is invalid: spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive',
    ],
    [
      'run q --image=i --overrides=\'{"spec":{"priorityClassName":"none"}}\'',
      'Error from server (Forbidden): pods "q" is forbidden: no PriorityClass with name none was found',
    ],
    ['expose svc none --port=80', 'Error from server (NotFound): services "none" not found'],
    [
      'get pods --as alice',
      'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      'get nodes --as alice',
      'Error from server (Forbidden): nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'delete deploy web --as alice',
      'Error from server (Forbidden): deployments.apps "web" is forbidden: User "alice" cannot delete resource "deployments" in API group "apps" in the namespace "default"',
    ],
    [
      'create cm x --as alice',
      'error: failed to create configmap: configmaps is forbidden: User "alice" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ],
    [
      'get --raw /metrics --as alice',
      'Error from server (Forbidden): forbidden: User "alice" cannot get path "/metrics"',
    ],
  ])('%s is refused', (command, message) => k.refuses(command, message));

  test('what is too large', async () => {
    fs.writeFileSync(path.join(k.dir, 'large'), 'a'.repeat(1_100_000));
    await k.refuses(
      'create cm large --from-file=large',
      'error: failed to create configmap: ConfigMap "large" is invalid: []: Too long: may not be more than 1048576 bytes',
    );
    fs.writeFileSync(path.join(k.dir, 'large'), 'a'.repeat(3_200_000));
    await k.refuses(
      'create cm large --from-file=large',
      'error: failed to create configmap: Request entity too large: limit is 3145728',
    );
    await k.refuses(
      'create secret generic large --from-file=large',
      'error: failed to create secret Request entity too large: limit is 3145728',
    );
  });

  test('who one is: a token, a wrong one, none', async () => {
    const certificate = path.join(k.dir, 'ca.crt');
    const ca = await k.ok(
      "config view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}'",
    );
    fs.writeFileSync(certificate, Buffer.from(ca, 'base64'));
    const bare = `--kubeconfig=/dev/null --server=${server.url} --certificate-authority=${certificate}`;
    await k.refuses(
      `${bare} --token=good-token get pods -n default`,
      'Error from server (Forbidden): pods is forbidden: User "carol" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    await k.refuses(
      `${bare} --token=bad get pods`,
      /error: You must be logged in to the server \(Unauthorized\)$/,
    );
    await k.refuses(
      `${bare} --token=bad get --raw /api/v1/pods`,
      'error: You must be logged in to the server (Unauthorized)',
    );
    await k.refuses(
      `--kubeconfig=/dev/null --server=${server.url} --token=good-token get pods`,
      /tls: failed to verify certificate: x509: certificate signed by unknown authority/,
    );
  });

  test('a server that is not there', async () => {
    await k.refuses(
      'get pods --server=https://127.0.0.1:1',
      /The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port\?$/,
    );
  });
});
