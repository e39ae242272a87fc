// What the regulations ask of registers, as dated data: a law that is replaced becomes another
// profile, and no number of a law stands anywhere else. Sources are in each profile's `text`. They
// are not legal advice, and `notes` says what was not read or is no longer in force.

/** Duties of who runs mail servers. Days are calendar days in the profile's zone. */
interface ServerDuties {
  /** An address is filed this long before the server starts. */
  readonly noticeDays: number;
  /** A change of address is filed this long before it takes effect. */
  readonly changeNoticeDays: number;
  /** A server needs a licence or a filing as a provider. */
  readonly licence: boolean;
  readonly text: string;
  readonly changeText: string;
  readonly licenceText: string;
}

/** Duties about management codes of advertisers. */
interface CodeDuties {
  readonly validYears: number;
  /** An extension is asked for this long before the end. */
  readonly extensionDays: number;
  /** A change of technical data is notified this long before it. */
  readonly changeNoticeDays: number;
  readonly text: string;
}

export interface Profile {
  readonly name: string;
  readonly title: string;
  /** Zone in which a bare date begins, and its hours east of UTC (since 1992: no summer time). */
  readonly zone: string;
  readonly offsetHours: number;
  /** In force from the start of this day, until the start of that one. */
  readonly from: string;
  readonly until?: string;
  readonly servers?: ServerDuties;
  readonly codes?: CodeDuties;
  readonly notes: readonly string[];
}

export const profileNames = ['cn-2006', 'vn-2008', 'vn-2020'] as const;
export type ProfileName = (typeof profileNames)[number];

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  'cn-2006': {
    name: 'cn-2006',
    title: 'China, Measures for the Administration of Internet Email Services (Order 38, 2006)',
    zone: 'Asia/Shanghai',
    offsetHours: 8,
    from: '2006-03-30',
    servers: {
      noticeDays: 20,
      changeNoticeDays: 30,
      licence: true,
      text: 'CN-38/2006 art. 6 ¶1',
      changeText: 'CN-38/2006 art. 6 ¶2',
      licenceText: 'CN-38/2006 art. 4',
    },
    notes: ['Days are counted as calendar days; the text does not say working days.'],
  },
  'vn-2008': {
    name: 'vn-2008',
    title: 'Vietnam, Circular 12/2008/TT-BTTTT under Decree 90/2008',
    zone: 'Asia/Ho_Chi_Minh',
    offsetHours: 7,
    from: '2008-12-30',
    until: '2015-01-20',
    codes: {
      validYears: 3,
      extensionDays: 30,
      changeNoticeDays: 5,
      text: 'VN-12/2008 II',
    },
    notes: [
      'Listed as expired on 2015-01-20; its decree was replaced from 2020-10-01.',
      'The circular names its signing date; the day on which it came into force was not read.',
    ],
  },
  'vn-2020': {
    name: 'vn-2020',
    title: 'Vietnam, Decree 91/2020 and Circular 22/2021',
    zone: 'Asia/Ho_Chi_Minh',
    offsetHours: 7,
    from: '2020-10-01',
    notes: [
      'Articles 18-20 (email) and 9-11 (duties of an ISP) were read in excerpts only.',
      'It knows no management codes of the old form.',
    ],
  },
};
