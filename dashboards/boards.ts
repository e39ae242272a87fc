// The five boards, as tables of contents: which question, and which panels answer it.

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { boardOf, firing } from './board.js';
import * as judgement from './panels/judgement.js';
import * as list from './panels/list.js';
import * as mail from './panels/mail.js';
import * as cost from './panels/process.js';
import * as register from './panels/register.js';
import * as service from './panels/service.js';
import * as traffic from './panels/traffic.js';
import { times, words } from './style.js';

const alertsFiring = times({
  title: 'Alerts',
  description: 'Alerts that fire, and since when. Each has a section in the runbook.',
  unit: 'short',
  queries: [['{{alertname}} {{sensor}}', `max by (alertname, sensor) (${firing})`]],
});

/** Who it is comes from the API: an address is never a label. */
const who = words(
  'Who?',
  'Addresses are not in the metrics: the console has them, with their evidence.',
  [
    '[Findings]($console/#/findings): who does what, and on which evidence.',
    '[The list]($console/#/list): who is limited or blocked, why, and until when; release it there.',
    '[The register]($console/#/register) and [the sensor]($console/#/sensor).',
  ].join('  \n'),
);

const overview = boardOf({
  uid: 'mailweir-overview',
  title: 'Overview',
  description: 'Is the network sending spam, is the sensor well, does the blocking bite?',
  rows: [
    {
      title: 'Is the network sending spam?',
      panels: [
        judgement.findingsOpen,
        judgement.blockedNow,
        judgement.limitedNow,
        judgement.customersActive,
        mail.mailNow,
        mail.unknownOutNow,
        judgement.alertsBySeverity,
        mail.refusedOut,
      ],
    },
    {
      title: 'Is the sensor well?',
      panels: [
        traffic.packetsNow,
        traffic.lossNow,
        traffic.bothSidesNow,
        judgement.rulesDegraded,
        judgement.breakerNow,
        service.held,
        alertsFiring,
      ],
    },
    {
      title: 'Does the blocking bite?',
      panels: [
        list.entriesNow,
        list.leakingNow,
        list.leakShare,
        list.wrongShare,
        list.notKept,
        judgement.decisionsOpen,
        list.enforcement,
        service.consumersBehind,
      ],
    },
    { title: 'Who is it?', panels: [who] },
  ],
});

const mailFlow = boardOf({
  uid: 'mailweir-mail-flow',
  title: 'Mail flow',
  description: 'How much mail there is, in which direction, and how it ends.',
  rows: [
    {
      title: 'How much mail is there?',
      panels: [mail.mailByDirection, mail.sessionsAndMail, mail.mailBySensor, mail.sessionsByTls],
    },
    { title: 'How does it end?', panels: [mail.mailByOutcome, mail.replies, mail.refusedOut] },
    {
      title: 'What else knocks at mail ports?',
      panels: [mail.attempts, mail.anomalies, traffic.connectionsEnded, traffic.connectionsOpen],
    },
  ],
});

const detection = boardOf({
  uid: 'mailweir-detection',
  title: 'Detection and decisions',
  description: 'What the detectors see, what policy makes of it, and what holds it back.',
  rows: [
    {
      title: 'What is found?',
      panels: [
        judgement.alertsByRule,
        judgement.alertsBySeverity,
        judgement.rowsJudged,
        judgement.subjects,
      ],
    },
    {
      title: 'What is decided?',
      panels: [
        judgement.entriesByRule,
        judgement.entriesByRole,
        judgement.verdicts,
        judgement.changesByState,
        judgement.timeToDecision,
        list.listChanges,
      ],
    },
    {
      title: 'What holds it back?',
      panels: [judgement.guards, judgement.breakerNow, judgement.breakerTrips, service.held],
    },
    {
      title: 'Do consumers have it?',
      panels: [service.publishDelay, service.documents, service.consumersFetch, service.fetchAge],
    },
    {
      title: 'Does it bite?',
      panels: [list.timeToEnforce, list.enforcement, list.consumerLeaks, list.kernelOrders],
    },
    { title: 'Who is it?', panels: [who] },
  ],
});

const sensorHealth = boardOf({
  uid: 'mailweir-sensor',
  title: 'Sensor health',
  description: 'What comes in, what is lost, what the sensor serves, and at what cost.',
  rows: [
    { title: 'Does anything fire?', panels: [alertsFiring] },
    {
      title: 'What comes in?',
      panels: [
        traffic.packetsBySensor,
        traffic.bytesBySensor,
        traffic.packetsByWorker,
        traffic.interfacesDown,
        traffic.bothSidesNow,
        traffic.lossNow,
      ],
    },
    {
      title: 'What is lost?',
      panels: [traffic.losses, traffic.gaps, traffic.ringFill, traffic.workerTrouble],
    },
    {
      title: 'What is left out, or given up?',
      panels: [traffic.skipped, traffic.decodeFacts, traffic.givenUp, judgement.detectorsGaveUp],
    },
    {
      title: 'What does it serve?',
      panels: [
        service.responses,
        service.requestTimes,
        service.dnsbl,
        service.dnsblTimes,
        service.policyServer,
        service.notices,
        service.noticesWaiting,
      ],
    },
    {
      title: 'What does it cost?',
      panels: [cost.processor, cost.memory, cost.mainThread, cost.files, cost.scrapes],
    },
  ],
});

const compliance = boardOf({
  uid: 'mailweir-compliance',
  title: 'Compliance',
  description: 'Was anybody blocked wrongly, do appeals come through, is the register in time?',
  rows: [
    {
      title: 'Was anybody blocked wrongly?',
      panels: [
        list.wrongShare,
        list.appeals,
        list.protectedRefused,
        list.outcomes,
        judgement.entriesByRole,
      ],
    },
    {
      title: 'Is the register in time?',
      panels: [register.clocks, register.ending, register.entries],
    },
    {
      title: 'Is what was decided carried out?',
      panels: [list.enforcement, service.fetchAge],
    },
  ],
});

/** In the order of their links. */
export const boards: readonly Dashboard[] = [
  overview,
  mailFlow,
  detection,
  sensorHealth,
  compliance,
];
