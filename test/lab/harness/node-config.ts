import { bridgePods, DNS_SERVICE, underlay } from './addresses.ts';

const LAB_SANDBOX = 'lab.test/pause:1';

/** containerd's configuration. */
export const CONTAINERD_CONFIG = `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.snapshotter.v1.btrfs', 'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.erofs',
  'io.containerd.snapshotter.v1.devmapper', 'io.containerd.differ.v1.erofs', 'io.containerd.nri.v1.nri']

[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '${LAB_SANDBOX}'

[plugins.'io.containerd.cri.v1.runtime']
# Where the capability to lower it is missing, every sandbox would die.
restrict_oom_score_adj = true
disable_apparmor = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/opt/cni/bin']
conf_dir = '/etc/cni/net.d'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
`;

/** Manifests in it are pods of the kubelet's own, with or without an API. */
export const STATIC_PODS = '/etc/kubernetes/manifests';

/** kubelet's configuration. */
export const KUBELET_CONFIG = JSON.stringify({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: '/etc/kubernetes/ca.crt' },
  },
  authorization: { mode: 'Webhook' },
  clusterDNS: [DNS_SERVICE.v4, DNS_SERVICE.v6],
  clusterDomain: 'cluster.local',
  resolvConf: '/etc/resolv.conf',
  volumePluginDir: '/var/lib/kubelet/volume-plugins',
  cgroupDriver: 'cgroupfs',
  // One machine is several nodes: none of them may manage or judge it as if it were its own.
  cgroupsPerQOS: false,
  enforceNodeAllocatable: [],
  failCgroupV1: false,
  failSwapOn: false,
  localStorageCapacityIsolation: false,
  evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  imageGCHighThresholdPercent: 100, // what was imported could not be pulled again
  maxPods: 250,
  staticPodPath: STATIC_PODS,
  fileCheckFrequency: '2s',
  serializeImagePulls: false,
  nodeStatusUpdateFrequency: '4s',
  nodeLeaseDurationSeconds: 16,
});

/** For `--cni bridge`: Debian's bridge and host-local plugins, with portmap and bandwidth behind them. */
export function bridgeConflist(number: number): string {
  const pods = bridgePods(number);
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'lab',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isDefaultGateway: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: pods.v4 }], [{ subnet: pods.v6 }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ],
  });
}

/** kubelet's flags beside its configuration. */
export function kubeletFlags(name: string, number: number): string[] {
  const { v4, v6 } = underlay(number);
  return [
    '--config=/etc/kubernetes/kubelet.json',
    '--kubeconfig=/etc/kubernetes/kubelet.conf',
    `--hostname-override=${name}`,
    `--node-ip=${v4},${v6}`,
  ];
}
