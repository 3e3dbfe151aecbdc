//! Counts that each thread keeps for itself.
//!
//! A counter has a place of its own in the sheets of all threads, and a sheet is written by one
//! thread alone: to count is to add one to a word that nobody else writes, in memory that no other
//! thread's processor asks for until somebody sums up. A thread that ends leaves its sheet, with what
//! stands on it, to the next that begins; sheets are never wiped, so whoever is given a place that
//! was another's before starts from what stands there.
//!
//! Sheets are leaked on purpose: as many as there were threads at a time, of twice the size that the
//! places ever took. Thus they can be reached from a thread-local without a destructor, which costs
//! one instruction.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The counts of one thread. Loaded and stored, never added to atomically: nobody else writes them.
type Page = &'static [AtomicU64];

const SMALLEST_PAGE: usize = 256;

thread_local! {
    /// The newest page of this thread's sheet. It needs no destructor, so it is there to the end.
    static PAGE: Cell<Page> = const { Cell::new(&[]) };
    /// Gives the sheet back when the thread ends.
    static SEAT: RefCell<Seat> = const { RefCell::new(Seat { sheet: None }) };
}

/// All sheets and places of the process. It does nothing by itself.
static OFFICE: Mutex<Office> =
    Mutex::new(Office { sheets: Vec::new(), idle: Vec::new(), vacant: Vec::new(), places: 0 });

struct Office {
    /// The pages of each sheet; the last is the largest, and the only one that is written.
    sheets: Vec<Vec<Page>>,
    /// Those that no thread has.
    idle: Vec<usize>,
    /// Places that nobody has.
    vacant: Vec<usize>,
    places: usize,
}

struct Seat {
    sheet: Option<usize>,
}

/// The place of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(usize);

impl Place {
    /// On no sheet, however large.
    pub(crate) const NOWHERE: Self = Self(usize::MAX);

    /// Counts one, on the sheet of this thread; false when it has none that goes so far.
    #[inline]
    pub(crate) fn count(self) -> bool {
        let Some(count) = PAGE.get().get(self.0) else { return false };
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        true
    }

    /// The same, with a larger page if need be; false when the thread has ended but for destructors.
    #[cold]
    pub(crate) fn count_anew(self) -> bool {
        let seated = SEAT.try_with(|seat| {
            let Ok(mut seat) = seat.try_borrow_mut() else { return false };
            PAGE.set(office().page(&mut seat, self.0));
            true
        });
        seated.unwrap_or(false) && self.count()
    }

    /// A place and what stands there already.
    pub(crate) fn take() -> (Self, u64) {
        let mut office = office();
        let place = match office.vacant.pop() {
            Some(place) => place,
            None => {
                office.places += 1;
                office.places - 1
            }
        };
        (Self(place), sum(office.pages(), place))
    }

    /// What stands there at last. The caller must have seen all who counted there end.
    pub(crate) fn give_back(self) -> u64 {
        let mut office = office();
        office.vacant.push(self.0);
        sum(office.pages(), self.0)
    }
}

/// What stands on all sheets now; of counts under way it may miss the latest.
pub(crate) struct Reading(Vec<Page>);

impl Reading {
    pub(crate) fn new() -> Self {
        Self(office().pages().collect())
    }

    pub(crate) fn at(&self, place: Place) -> u64 {
        sum(self.0.iter().copied(), place.0)
    }
}

fn office() -> MutexGuard<'static, Office> {
    OFFICE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sum(pages: impl Iterator<Item = Page>, place: usize) -> u64 {
    let counts = pages.filter_map(|page| page.get(place));
    counts.fold(0, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
}

impl Office {
    fn pages(&self) -> impl Iterator<Item = Page> {
        self.sheets.iter().flatten().copied()
    }

    /// The page of who sits there, large enough for a place.
    fn page(&mut self, seat: &mut Seat, place: usize) -> Page {
        let number = *seat.sheet.get_or_insert_with(|| {
            self.idle.pop().unwrap_or_else(|| {
                self.sheets.push(Vec::new());
                self.sheets.len() - 1
            })
        });
        let Some(sheet) = self.sheets.get_mut(number) else { return &[] };
        match sheet.last() {
            Some(page) if place < page.len() => page,
            _ => {
                // For all places there are, so that this happens seldom.
                let room = self.places.max(place.saturating_add(1));
                let room = room.next_power_of_two().max(SMALLEST_PAGE);
                let page = std::iter::repeat_with(AtomicU64::default).take(room);
                let page: Page = Box::leak(page.collect());
                sheet.push(page);
                page
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Destructors that come later must not write on what is another's.
        PAGE.set(&[]);
        if let Some(sheet) = self.sheet.take() {
            office().idle.push(sheet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(place: Place) {
        assert!(place.count() || place.count_anew());
    }

    #[test]
    fn sheets_go_from_thread_to_thread_with_what_stands_on_them() {
        let (place, before) = Place::take();
        for _ in 0..50 {
            std::thread::spawn(move || (0..100).for_each(|_| count(place))).join().unwrap();
        }
        assert_eq!(Reading::new().at(place) - before, 5_000);
        let sheets = office().sheets.len();
        assert!(sheets < 50, "{sheets} sheets for one thread at a time");
        assert_eq!(place.give_back() - before, 5_000);
    }

    #[test]
    fn a_place_is_given_again_with_what_stands_there() {
        let (place, before) = Place::take();
        count(place);
        assert_eq!(place.give_back() - before, 1);
        // Others take places meanwhile; whoever has this one now starts from what stands there.
        let taken: Vec<_> = (0..8).map(|_| Place::take()).collect();
        for (place, before) in &taken {
            assert_eq!(Reading::new().at(*place), *before);
        }
        for (place, before) in taken {
            assert_eq!(place.give_back(), before);
        }
    }

    #[test]
    fn pages_grow_with_the_places() {
        let thread = std::thread::spawn(|| {
            let places: Vec<_> = (0..1_000).map(|_| Place::take()).collect();
            for round in 1..=3 {
                for (place, before) in &places {
                    count(*place);
                    assert_eq!(Reading::new().at(*place) - before, round);
                }
            }
            let late: Vec<_> = (0..2_000).map(|_| Place::take()).collect();
            for (place, before) in late.iter().chain(&places) {
                count(*place);
                let counted = Reading::new().at(*place) - before;
                assert!(counted == 1 || counted == 4, "{counted}");
            }
            for (place, _) in places.into_iter().chain(late) {
                place.give_back();
            }
        });
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_has_ended_but_for_destructors_has_no_sheet() {
        struct Late(Place);
        impl Drop for Late {
            fn drop(&mut self) {
                if !(self.0.count() || self.0.count_anew()) {
                    MISSED.store(1, Ordering::SeqCst);
                }
            }
        }
        static MISSED: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
        }
        let (place, before) = Place::take();
        let thread = std::thread::spawn(move || {
            // Its destructor was registered first, and runs last.
            LATE.with(|late| *late.borrow_mut() = Some(Late(place)));
            count(place);
        });
        thread.join().unwrap();
        let missed = MISSED.load(Ordering::SeqCst);
        assert_eq!((place.give_back() - before, missed), (1, 1));
    }
}
