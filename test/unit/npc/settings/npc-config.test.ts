import { deepEqual, equal, match } from 'node:assert/strict';
import { configFileAsked } from '../../../../host/settings/intent.ts';
import { npcHelpText, readNpcConfig } from '../../../../npc/settings/npc-config.ts';
import { NPC_SETTING_TABLE } from '../../../../npc/settings/npc-settings.ts';

const read = (argv: string[], env: Record<string, string> = {}, file?: string) =>
  readNpcConfig({
    argv,
    env,
    hostName: 'Host-1',
    ...(file === undefined ? {} : { file: { path: '/n.json', text: file } }),
  });

describe('readNpcConfig', () => {
  it('has a default for everything', () => {
    deepEqual(read([]), {
      action: 'run',
      config: {
        nodeName: 'host-1',
        runDir: '/run/weft',
        stateDir: '/var/lib/weft-npc',
        kubeconfig: undefined,
        healthListen: undefined,
        metricsListen: undefined,
        reject: false,
        dropLog: true,
        logLevel: 'info',
        logFormat: 'text',
      },
    });
  });

  it('takes a flag before the environment, and that before the file', () => {
    const intent = read(
      ['--node-name', 'a', '--reject'],
      { WEFT_NPC_NODE_NAME: 'b', WEFT_NPC_RUN_DIR: '/run/b', WEFT_PORT: '1' },
      '{"run-dir": "/run/c", "state-dir": "/var/c", "health-listen": "127.0.0.1:6785"}',
    );
    equal(intent.action, 'run');
    const { config } = intent as Extract<typeof intent, { action: 'run' }>;
    deepEqual(
      [config.nodeName, config.runDir, config.stateDir, config.healthListen, config.reject],
      ['a', '/run/b', '/var/c', '127.0.0.1:6785', true],
    );
  });

  it('tells all faults at once', () => {
    const intent = read(
      ['--node-name', 'A_B', '--run-dir', `/${'x'.repeat(94)}`],
      { WEFT_NPC_STATE_DIR: 'relative', WEFT_NPC_KUBECONFG: '/x' },
      '[]',
    );
    const faults = intent.action === 'refuse' ? intent.faults.map(({ line }) => line) : [];
    equal(faults.length, 5);
    match(faults.join('\n'), /give a path of at most 93 bytes/);
    match(faults.join('\n'), /did you mean WEFT_NPC_KUBECONFIG/);
  });

  it('says how it is used, and which file is asked for', () => {
    match(npcHelpText(), /--\[no-\]reject/);
    deepEqual(read(['--help']), { action: 'help' });
    deepEqual(read(['--version']), { action: 'version' });
    equal(configFileAsked(NPC_SETTING_TABLE, { argv: [], env: { WEFT_NPC_CONFIG: '/n.json' } }), '/n.json');
    equal(
      configFileAsked(NPC_SETTING_TABLE, {
        argv: ['--config', '/m.json'],
        env: { WEFT_NPC_CONFIG: '/n.json' },
      }),
      '/m.json',
    );
  });
});
