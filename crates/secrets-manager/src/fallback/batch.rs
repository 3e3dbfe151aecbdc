//! Many reads: one batch a provider, and only what is missing goes on.

use futures_util::{StreamExt, stream};
use secrets_core::{Error, ErrorKind, GetOptions, Operation, Result, Secret, SecretRef};

use crate::fallback::Fallback;
use crate::fallback::look::{Look, Quest, asked_for};
use crate::fallback::members::Member;

/// So many calls run at a time to a provider that has no batches.
pub(crate) const AT_A_TIME: usize = 16;

impl Fallback {
    pub(crate) async fn read_many(
        &self,
        wanted: &[(SecretRef, GetOptions)],
    ) -> Result<Vec<Result<Secret>>> {
        let mut quests: Vec<_> = wanted.iter().map(|(r, options)| Quest::new(r, options)).collect();
        for quest in &mut quests {
            if let Err(error) = self.allow(&quest.options.version) {
                quest.refuse(error);
            }
        }
        for member in self.members.all() {
            let is_primary = self.members.is_primary(member);
            let is_asked = |quest: &Quest<'_>| {
                quest.is_open() && (is_primary || member.expresses(quest.reference))
            };
            let (mut asked, mut questions, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
            for quest in quests.iter_mut().filter(|quest| is_asked(quest)) {
                match asked_for(member, quest.options) {
                    Some(options) => {
                        questions.push((quest.reference.clone(), options));
                        asked.push(quest);
                    }
                    None => foreign.push(quest),
                }
            }
            self.cover_many(member, foreign).await;
            if asked.is_empty() {
                continue;
            }
            let is_whole = is_primary && asked.len() == wanted.len();
            let answers = match self.ask_many(member, &questions).await {
                Ok(answers) => answers,
                Err(error) if is_whole && self.ends(&error, &asked) => {
                    return Err(member.name(error));
                }
                Err(error) => vec![Err(error.with_operation(Operation::GetSecret)); asked.len()],
            };
            let looks = self.judge_many(member, &asked, answers).await;
            for (quest, look) in asked.into_iter().zip(looks) {
                quest.hear(self, member, look);
            }
        }
        Ok(quests.into_iter().map(Quest::end).collect())
    }

    /// Whether nobody goes on after a failure of all.
    fn ends(&self, error: &Error, asked: &[&mut Quest<'_>]) -> bool {
        let goes_on = |quest: &&mut Quest<'_>| self.passes_over(error, &quest.options.version);
        error.kind() != ErrorKind::NotFound && !asked.iter().any(goes_on)
    }

    /// The provider's answers, as many as there are questions.
    async fn ask_many(
        &self,
        member: &Member,
        questions: &[(SecretRef, GetOptions)],
    ) -> Result<Vec<Result<Secret>>> {
        if questions.len() > 1 && member.provider.capabilities().batch.is_available() {
            let answers = member.provider.get_secrets(questions).await?;
            if answers.len() != questions.len() {
                let message = "the provider gave another number of answers than was asked for";
                let error = Error::new(ErrorKind::Integrity, message);
                return Err(error.with_operation(Operation::GetSecrets));
            }
            return Ok(answers);
        }
        let provider = &member.provider;
        let reads = questions.iter().map(|(r, options)| provider.get_secret(r, options.clone()));
        let reads: Vec<_> = reads.collect();
        Ok(stream::iter(reads).buffered(AT_A_TIME).collect().await)
    }

    /// Whether a provider has the secrets of which versions of others are asked for.
    async fn cover_many(&self, member: &Member, foreign: Vec<&mut Quest<'_>>) {
        let covers = foreign.iter().map(|quest| {
            let (reference, options) = (quest.reference, quest.options);
            async move { self.members.cover(member, reference, options).await }
        });
        let covers: Vec<_> = covers.collect();
        let looks: Vec<_> = stream::iter(covers).buffered(AT_A_TIME).collect().await;
        for (quest, look) in foreign.into_iter().zip(looks) {
            quest.hear(self, member, look);
        }
    }

    async fn judge_many(
        &self,
        member: &Member,
        asked: &[&mut Quest<'_>],
        answers: Vec<Result<Secret>>,
    ) -> Vec<Look> {
        let members = &self.members;
        let judged = asked.iter().zip(answers).map(|(quest, answer)| {
            let (reference, options) = (quest.reference, quest.options);
            async move { members.judge(member, reference, options, answer).await }
        });
        let judged: Vec<_> = judged.collect();
        stream::iter(judged).buffered(AT_A_TIME).collect().await
    }
}
