// `jotasu agent`: one node in the foreground. Flags that the kubelet has too carry its names.
import { type Command, Option } from 'commander';
import { withConfigFile } from '../config-file.ts';
import { CommandFailure } from '../failure.ts';
import { addressesOfNode, addressRanges, list, listOf, nodeName, whole } from '../flags.ts';
import type { AgentFlags, Handlers, LogFlags } from '../handlers.ts';
import { logFlags, type ParsedLogOptions, withLogOptions } from '../shared-options.ts';
import { withNodeSettings } from './node-settings.ts';

interface Parsed extends Omit<AgentFlags, keyof LogFlags>, ParsedLogOptions {
  config?: string;
}

export function agentCommand(program: Command, handlers: Handlers): void {
  const command = program
    .command('agent')
    .description('run one node in the foreground: its pods, their network, its own containerd')
    .helpGroup('Parts, one process each:')
    .option(
      '--server <urls>',
      'the API servers, https://HOST:PORT,…; one is enough, the others are learnt from it',
      list,
    )
    .option('--token <token>', 'join by it ("jotasu token create"); needed once, kept is the certificate')
    .option('--kubeconfig <file>', 'address and credentials from a kubeconfig, instead of the flags for them')
    .option('--certificate-authority <file>', 'who signed the certificate of the server')
    .option('--client-certificate <file>', 'how this node shows who it is')
    .option('--client-key <file>', 'the key of that certificate')
    .option(
      '--tls-cert-file <file>',
      'certificate of the server for logs and exec (default: the client certificate)',
    )
    .option('--tls-private-key-file <file>', 'the key of that certificate')
    .option('--node-name <name>', 'the name of the node (default: the host name)', nodeName)
    .option(
      '--node-ip <ips>',
      'the address of the node, or one of each family: 10.0.0.2,fd00::2 (default: that of the route to the server, and of its link the other family that pods have)',
      addressesOfNode,
    )
    .option('--state-dir <dir>', 'volumes, logs, images (default: /var/lib/jotasu/agent)')
    .option('--run-dir <dir>', 'sockets and pid files (default: /run/jotasu)')
    .option('--container-runtime-endpoint <socket>', 'socket of a containerd that runs already')
    .option('--cgroup-parent <path>', 'the cgroup below which those of the pods are made')
    .option(
      '--cluster-cidr <ranges>',
      'addresses of pods in the whole cluster; two ranges for two families (default: 10.244.0.0/16, or what the server told)',
      addressRanges,
    )
    .option('--cluster-domain <domain>', 'DNS domain of the cluster (default: cluster.local)')
    .option(
      '--nodeport-addresses <ranges>',
      'at which addresses of the node node ports answer (default: primary, those of --node-ip)',
      list,
    )
    .option(
      '--cluster-dns <addresses>',
      'DNS servers that pods get; this node answers there itself (default: none)',
      list,
    )
    .option(
      '--without <parts>',
      'leave out any of dns (somebody else answers at the addresses of --cluster-dns), ingress (HAProxy at the ports 80 and 443)',
      listOf(['dns', 'ingress']),
    )
    .addOption(
      new Option(
        '--flannel-backend <backend>',
        'how pods reach other nodes: by routes on a link that all nodes share, or through tunnels, UDP 8472 (default: host-gw)',
      ).choices(['host-gw', 'vxlan']),
    )
    .option('--node-labels <labels>', 'labels the node registers with: key=value,…', list)
    .option('--port <port>', 'port of the server for logs and exec (default: 10250)', whole(1, 65535))
    .option('--max-pods <count>', 'how many pods may run here (default: 110)', whole(1, 100_000))
    .option('--pod-manifest-path <path>', 'folder or file with manifests of static pods')
    .option(
      '--allowed-unsafe-sysctls <names>',
      'kernel parameters that pods may set besides the safe ones: name or start*,…',
      list,
    )
    .option(
      '--pod-max-pids <count>',
      'how many processes a pod may have (default: no limit)',
      whole(1, 2 ** 22),
    );
  withNodeSettings(command);
  withConfigFile(withLogOptions(command)).action((parsed: Parsed) => {
    const { config, logLevel, v, ...flags } = parsed;
    if (flags.server === undefined && flags.kubeconfig === undefined)
      throw new CommandFailure('agent needs --server or --kubeconfig', { exitCode: 2 });
    if (
      flags.token !== undefined &&
      (flags.kubeconfig !== undefined || flags.clientCertificate !== undefined)
    )
      throw new CommandFailure('agent takes --token or a certificate, not both', { exitCode: 2 });
    if (flags.server !== undefined && flags.kubeconfig !== undefined)
      throw new CommandFailure('agent takes --server or --kubeconfig, not both', { exitCode: 2 });
    return handlers.agent({ ...flags, ...logFlags(parsed) });
  });
}
